"""What can go wrong: with one request, which leaves the others alone, or with the engine."""

from __future__ import annotations


class EngineError(Exception):
    """Base of the engine's errors."""


class InvalidPromptError(EngineError, ValueError):
    """The prompt or an option of the request can't be used; the message says why."""


class PromptTooLongError(InvalidPromptError):
    """The prompt leaves no room for a reply in the context.

    Attributes:
        prompt_tokens: length of the prompt, in tokens.
        context_length: longest prompt and reply together, in tokens.
    """

    def __init__(self, prompt_tokens: int, context_length: int) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens, but must have at most {context_length - 1}: "
            f"prompt and reply together fit in {context_length}"
        )
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class EngineOverloadedError(EngineError):
    """Too many requests are open already; try again later.

    Attributes:
        limit: requests that may be open, running and waiting.
    """

    def __init__(self, limit: int, of_one: int | None = None) -> None:
        """Say so; `of_one` are those of one of several games, which has its share of the limit."""
        limited = f"the limit (max_batch + max_waiting{'' if of_one is None else f': {limit}'})"
        super().__init__(
            f"{limit} requests are open, which is {limited}; try again later"
            if of_one is None
            else f"{of_one} requests of this game are open, which is its share of {limited}; "
            "try again later"
        )
        self.limit = limit


class DeviceNotFoundError(EngineError):
    """CUDA is asked for, and there is none."""

    def __init__(self) -> None:
        super().__init__(
            "device is cuda, but PyTorch finds no CUDA device: use auto or cpu, or see "
            "`townsfolk doctor`"
        )


class EngineClosedError(EngineError):
    """The engine was closed."""

    def __init__(self) -> None:
        super().__init__("the engine is closed")


class EngineFailedError(EngineError):
    """The engine itself has failed and computes nothing any more; its process should end.

    Attributes:
        reason: what happened.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the engine has failed, and its process must be started anew: {reason}")
        self.reason = reason


class DeviceFailedError(EngineError):
    """The device computes nothing any more, for no request; the cause is chained."""


class DeadlineExceededError(EngineError):
    """The request's deadline passed before its first token."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the first token")


class UnreadLimitError(EngineError):
    """Too much of what was generated waits for a reader; the answer ends there."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"more than {most} bytes of answers wait to be read: read them as they come, or ask "
            "for fewer log-probabilities"
        )


class GenerationFailedError(EngineError):
    """Computing the request failed; the cause is chained. Other requests go on."""


class UnfitSettingError(EngineError):
    """A setting does not fit the model; the message names it and what would fit."""


class NotEnoughMemoryError(EngineError):
    """The memory that was set, or that is free, is too little to run the model at all."""


class TooManyReportersError(EngineError):
    """More games report their frames than are listened to."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} games report their frames already, which is the most: end one's reports, or "
            "wait half a second after it is gone"
        )


class AdapterNotFoundError(EngineError):
    """No adapter of this name is loaded, or is there to be loaded.

    Attributes:
        name: the name.
    """

    def __init__(self, name: str, others: list[str], *, is_there: bool) -> None:
        shown = ", ".join(others) or "none"
        if is_there:
            message = f"no adapter {name!r} is loaded (loaded: {shown}): load it first"
        else:
            message = f"the folder of adapters has no {name!r} (it has: {shown})"
        super().__init__(f"adapter: {message}")
        self.name = name


class NoAdaptersError(EngineError):
    """An adapter is asked for, and the settings name no folder of adapters."""

    def __init__(self) -> None:
        super().__init__(
            "adapter: this runtime has no folder of adapters: start it with --adapters FOLDER"
        )


class UnusableAdapterError(EngineError):
    """An adapter can't be used; the message says why."""


class AdapterMemoryError(EngineError):
    """An adapter does not fit beside those that are loaded."""

    def __init__(self, name: str, nbytes: int, held: int, limit: int) -> None:
        mib = 1024 * 1024
        super().__init__(
            f"adapter: {name!r} takes {nbytes / mib:.1f} MiB, and those that are loaded, or still "
            f"spoken with, take {held / mib:.1f} of {limit / mib:.0f}: unload one, or set "
            "adapter_memory_mib to more"
        )


class ModelStaysError(EngineError):
    """The model can't be released, as nothing could load it again."""

    def __init__(self) -> None:
        super().__init__(
            "this model can't be released: it was given to the engine in memory, and nothing could "
            "load it again"
        )


class ModelReloadError(EngineError):
    """The model was released while no request needed it, and can't be loaded again now.

    Attributes:
        reason: why not.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "the model was released and can't be loaded again; the next request tries "
            f"once more: {reason}"
        )
        self.reason = reason
