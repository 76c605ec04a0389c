"""What a request asks of the sampler. Names, ranges and defaults are those of sampling.proto."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

MAX_TOP_K = 1024
MAX_BIAS_ENTRIES = 1024
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
MAX_STOP_TOKENS = 64
MAX_END_TOKENS = 64
MAX_LOGPROBS = 20
MAX_BREAKERS = 32
MAX_BREAKER_CHARACTERS = 32


class InvalidSamplingError(ValueError):
    """A sampling parameter is out of its range; the message names the field and the range."""

    def __init__(self, field_name: str, allowed: str, value: object) -> None:
        super().__init__(f"{field_name} must be {allowed}, but is {value!r}")
        self.field_name = field_name


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the tokens of one reply are drawn and what is reported about them.

    Raises:
        InvalidSamplingError: a value is out of its range.
    """

    temperature: float = 0.8
    """Divides the logits before the draw; 0 takes the likeliest token always. 0 to 5."""
    top_k: int = 40
    """Only the k likeliest tokens can be drawn; 0 means no limit. 0 to 1024."""
    top_p: float = 0.95
    """Only the smallest set of tokens whose probability reaches p can be drawn; the token that
    crosses p stays. Above 0, at most 1."""
    min_p: float = 0.0
    """Tokens less likely than this times the likeliest are left out. 0 to 1."""
    repetition_penalty: float = 1.0
    """Divides (positive) or multiplies (negative) the logit of each token in the reply, and in the
    prompt where `ReplyRules.penalizes_prompt` says so; never of end tokens in a prompt. Above 0, at
    most 10."""
    presence_penalty: float = 0.0
    """Subtracted from the logit of each token already in the reply. -10 to 10."""
    frequency_penalty: float = 0.0
    """Subtracted from a token's logit once for each time it is in the reply. -10 to 10."""
    logit_bias: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    """Added to the logits of these token ids. Each -100 to 100; at most 1024 entries."""
    stop: tuple[str, ...] = ()
    """The reply ends before the first of these. At most 16, each of 1 to 256 characters."""
    stop_token_ids: tuple[int, ...] = ()
    """The reply ends at these tokens too. At most 64."""
    max_new_tokens: int = 256
    """The longest reply, in tokens. At least 1."""
    min_new_tokens: int = 0
    """No end token and no stop token is drawn before this many tokens; a stop text ends the reply
    all the same, as it must never be shown. 0 to max_new_tokens."""
    seed: int | None = None
    """Of the draws; 0 to 2**64 - 1. None: the engine picks one and reports it."""
    logprobs: int | None = None
    """Report log-probabilities, and this many alternatives. 0 to 20; None reports nothing."""
    stop_repetition: bool | None = None
    """The reply ends where its text goes round in circles, but not before min_new_tokens nor under
    a grammar. None: what a character says does, other text does not."""
    retry_repetition: bool = False
    """A character's reply that goes round in circles goes on once with other draws."""
    dry_multiplier: float = 0.0
    """Subtracted from the logit of a token that would repeat earlier text further, times a power of
    `dry_base`; not under a grammar. 0 to 10; 0 is off."""
    dry_base: float = 1.75
    """To the power of how many tokens more than `dry_allowed_length` repeat. 1 to 4."""
    dry_allowed_length: int = 2
    """How many tokens may repeat without a penalty for the next. 1 to 64."""
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    """What repeats ends before tokens with one of these. At most 32, each of 1 to 32 characters."""
    no_repeat_tokens: int = 0
    """So many tokens in a row don't come again, as they were in earlier text; not under a grammar.
    0, which is off, or 2 to 64."""
    repeat_window: int = 8
    """How many earlier lines of its own count as text that a character repeats. 0 to 64."""

    def __post_init__(self) -> None:
        _check_number("temperature", self.temperature, 0, 5)
        _check_whole("top_k", self.top_k, 0, MAX_TOP_K)
        _check_number("top_p", self.top_p, 0, 1, above_low=True)
        _check_number("min_p", self.min_p, 0, 1)
        _check_number("repetition_penalty", self.repetition_penalty, 0, 10, above_low=True)
        _check_number("presence_penalty", self.presence_penalty, -10, 10)
        _check_number("frequency_penalty", self.frequency_penalty, -10, 10)
        _check_length("logit_bias", len(self.logit_bias), MAX_BIAS_ENTRIES)
        for token_id, bias in self.logit_bias.items():
            _check_whole("logit_bias key", token_id, 0, None)
            _check_number(f"logit_bias[{token_id}]", bias, -100, 100)
        if isinstance(self.stop, str):
            raise InvalidSamplingError("stop", "a list of texts", self.stop)
        _check_length("stop", len(self.stop), MAX_STOPS)
        for stop in self.stop:
            if not isinstance(stop, str) or not 1 <= len(stop) <= MAX_STOP_CHARACTERS:
                raise InvalidSamplingError(
                    "stop", f"texts of 1 to {MAX_STOP_CHARACTERS} characters", stop
                )
        _check_length("stop_token_ids", len(self.stop_token_ids), MAX_STOP_TOKENS)
        for token_id in self.stop_token_ids:
            _check_whole("stop_token_ids", token_id, 0, None)
        _check_whole("max_new_tokens", self.max_new_tokens, 1, None)
        _check_whole("min_new_tokens", self.min_new_tokens, 0, self.max_new_tokens)
        if self.seed is not None:
            _check_whole("seed", self.seed, 0, 2**64 - 1)
        if self.logprobs is not None:
            _check_whole("logprobs", self.logprobs, 0, MAX_LOGPROBS)
        if self.stop_repetition not in (None, False, True):
            raise InvalidSamplingError("stop_repetition", "true or false", self.stop_repetition)
        if self.retry_repetition not in (False, True):
            raise InvalidSamplingError("retry_repetition", "true or false", self.retry_repetition)
        self._check_repeats()
        # Own copies, so that nothing can change after the check.
        object.__setattr__(self, "logit_bias", MappingProxyType(dict(self.logit_bias)))
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "stop_token_ids", tuple(self.stop_token_ids))
        object.__setattr__(self, "dry_breakers", tuple(self.dry_breakers))

    def _check_repeats(self) -> None:
        _check_number("dry_multiplier", self.dry_multiplier, 0, 10)
        _check_number("dry_base", self.dry_base, 1, 4)
        _check_whole("dry_allowed_length", self.dry_allowed_length, 1, 64)
        if isinstance(self.dry_breakers, str):
            raise InvalidSamplingError("dry_breakers", "a list of texts", self.dry_breakers)
        _check_length("dry_breakers", len(self.dry_breakers), MAX_BREAKERS)
        for breaker in self.dry_breakers:
            if not isinstance(breaker, str) or not 1 <= len(breaker) <= MAX_BREAKER_CHARACTERS:
                allowed = f"texts of 1 to {MAX_BREAKER_CHARACTERS} characters"
                raise InvalidSamplingError("dry_breakers", allowed, breaker)
        _check_whole("no_repeat_tokens", self.no_repeat_tokens, 0, 64)
        if self.no_repeat_tokens == 1:
            raise InvalidSamplingError("no_repeat_tokens", "0, or from 2 to 64", 1)
        _check_whole("repeat_window", self.repeat_window, 0, 64)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as what it was made from: a mapping proxy can't be."""
        values = (getattr(self, each.name) for each in fields(self))
        plain = (dict(each) if isinstance(each, Mapping) else each for each in values)
        return type(self), tuple(plain)

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raise InvalidSamplingError when a token id is not below `vocab_size`."""
        for field_name, ids in (
            ("logit_bias key", self.logit_bias),
            ("stop_token_ids", self.stop_token_ids),
        ):
            for token_id in ids:
                _check_whole(field_name, token_id, 0, vocab_size - 1)

    @property
    def looks_back(self) -> bool:
        """Whether what it draws depends on how earlier text went on: DRY, or none to come again."""
        return self.dry_multiplier != 0 or self.no_repeat_tokens != 0

    @property
    def penalizes(self) -> bool:
        """Whether any of the three penalties is on."""
        return (
            self.repetition_penalty != 1
            or self.presence_penalty != 0
            or self.frequency_penalty != 0
        )


def _check_number(
    name: str, value: object, low: float, high: float, *, above_low: bool = False
) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        not is_number
        or not math.isfinite(value)  # type: ignore[arg-type]
        or not (low < value if above_low else low <= value)  # type: ignore[operator]
        or value > high  # type: ignore[operator]
    ):
        allowed = f"above {low} and at most {high}" if above_low else f"from {low} to {high}"
        raise InvalidSamplingError(name, allowed, value)


def _check_whole(name: str, value: object, low: int, high: int | None) -> None:
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or value < low
        or (high is not None and value > high)
    ):
        allowed = f"at least {low}" if high is None else f"from {low} to {high}"
        raise InvalidSamplingError(name, f"a whole number, {allowed}", value)


def _check_length(name: str, length: int, limit: int) -> None:
    if length > limit:
        raise InvalidSamplingError(name, f"at most {limit} entries", length)
