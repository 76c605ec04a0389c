"""What OpenAI's clients read: whole answers, and chunks of streams."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from townsfolk import __version__
from townsfolk.dialogue.tools import ToolCall
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo, Usage
from townsfolk.text.tokenizer import Tokenizer

_LEAST = -9999.0  # stands for a probability of 0, which JSON has no logarithm for
DONE = b"data: [DONE]\n\n"

Fields = dict[str, Any]


class Form(Protocol):
    """How the choices of one interface look."""

    prefix: str
    """What its ids begin with."""
    whole: str
    """The `object` of a whole answer."""
    chunk: str
    """The `object` of a chunk."""

    def begin(self) -> Fields | None:
        """Return the first chunk of a choice, if it has one of its own."""

    def delta(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return a chunk of a choice."""

    def end(self) -> Fields:
        """Return the last chunk of a choice."""

    def choice(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return a whole choice."""


@dataclass(slots=True)
class ChatForm:
    """Of chat completions."""

    tokenizer: Tokenizer
    wants_logprobs: bool
    prefix: str = "chatcmpl-"
    whole: str = "chat.completion"
    chunk: str = "chat.completion.chunk"

    def begin(self) -> Fields:
        """Say whose message it is."""
        return {"delta": {"role": "assistant", "content": ""}, "logprobs": None}

    def delta(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return more of the message."""
        return {"delta": {"content": text}, "logprobs": self._logprobs(tokens)}

    def end(self) -> Fields:
        """Return nothing more."""
        return {"delta": {}, "logprobs": None}

    def choice(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return the message."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"message": message, "logprobs": self._logprobs(tokens)}

    def _logprobs(self, tokens: Sequence[TokenInfo]) -> Fields | None:
        if not self.wants_logprobs:
            return None

        def entry(token_id: int, logprob: float | None) -> Fields:
            data = self.tokenizer.token_bytes(token_id)
            text = data.decode("utf-8", "replace")
            return {"token": text, "logprob": _finite(logprob), "bytes": list(data)}

        content = [
            entry(each.token_id, each.logprob) | {"top_logprobs": [entry(*top) for top in each.top]}
            for each in tokens
        ]
        return {"content": content, "refusal": None}


@dataclass(slots=True)
class TextForm:
    """Of completions."""

    tokenizer: Tokenizer
    wants_logprobs: bool
    prefix: str = "cmpl-"
    whole: str = "text_completion"
    chunk: str = "text_completion"
    _offset: int = 0

    def begin(self) -> None:
        """Begin with text."""

    def delta(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return more text."""
        return self.choice(text, tokens)

    def end(self) -> Fields:
        """Return no more text."""
        return {"text": "", "logprobs": None}

    def choice(self, text: str, tokens: Sequence[TokenInfo]) -> Fields:
        """Return the text."""
        return {"text": text, "logprobs": self._logprobs(tokens) if self.wants_logprobs else None}

    def _logprobs(self, tokens: Sequence[TokenInfo]) -> Fields:
        texts = [self._text(each.token_id) for each in tokens]
        offsets = []
        for text in texts:
            offsets.append(self._offset)
            self._offset += len(text)
        return {
            "tokens": texts,
            "token_logprobs": [_finite(each.logprob) for each in tokens],
            "top_logprobs": [
                {self._text(token_id): _finite(logprob) for token_id, logprob in each.top}
                for each in tokens
            ],
            "text_offset": offsets,
        }

    def _text(self, token_id: int) -> str:
        return self.tokenizer.token_bytes(token_id).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the choices of one answer."""

    form: Form
    model: str
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, choices: Sequence[Fields], usage: Fields) -> bytes:
        """Return a whole answer."""
        return encoded(self._around(self.form.whole, choices) | {"usage": usage})

    def chunk(self, choices: Sequence[Fields], usage: Fields | None, *, counts: bool) -> bytes:
        """Return one event of a stream; `counts`: whether this stream tells its usage."""
        fields = self._around(self.form.chunk, choices)
        return event(fields | {"usage": usage} if counts else fields)

    def _around(self, kind: str, choices: Sequence[Fields]) -> Fields:
        return {
            "id": self.form.prefix + self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": f"townsfolk-{__version__}",
            "choices": choices,
        }


def placed(index: int, fields: Fields, finish: str | None) -> Fields:
    """Return a choice, or a chunk of one, at its place."""
    return {"index": index} | fields | {"finish_reason": finish}


def finish_reason(completion: Completion) -> str:
    """Return why a reply ended. One that the runtime's own end cut off is not whole either."""
    ended = completion.finish_reason in (FinishReason.END, FinishReason.STOP)
    return "stop" if ended else "length"


def call_fields(call: ToolCall) -> Fields:
    """Return a call of a function."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def usage_fields(usages: Iterable[Sequence[Usage]]) -> Fields:
    """Return what the choices of each prompt cost together."""
    per_prompt = list(usages)
    prompt = sum(choices[0].prompt_tokens for choices in per_prompt)
    drawn = sum(each.generated_tokens for choices in per_prompt for each in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": drawn,
        "total_tokens": prompt + drawn,
        "prompt_tokens_details": {
            "cached_tokens": sum(choices[0].cached_tokens for choices in per_prompt)
        },
    }


def model_fields(name: str, created: int) -> Fields:
    """Return a model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "townsfolk"}


def event(fields: Fields) -> bytes:
    """Return a server-sent event."""
    return b"data: " + encoded(fields) + b"\n\n"


def encoded(fields: Fields) -> bytes:
    """Return JSON."""
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()


def _finite(logprob: float | None) -> float:
    return _LEAST if logprob is None else max(logprob, _LEAST)
