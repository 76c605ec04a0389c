"""What the engine says about a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from townsfolk.sampling.token import TokenInfo as TokenInfo


class FinishReason(Enum):
    """Why a reply ended."""

    END = "end"
    """The model ended its turn with an end token."""
    STOP = "stop"
    """A stop string or stop token of the request."""
    LENGTH = "length"
    """max_new_tokens, or the end of the context, was reached."""
    INTERRUPTED = "interrupted"
    """The caller cancelled it."""
    DEADLINE = "deadline"
    """The deadline passed; what was generated so far is kept."""
    REPETITION = "repetition"
    """The text went round in circles."""


@dataclass(slots=True)  # frozen would take three times as long to make
class TextDelta:
    """More of a reply. Nobody changes it.

    Attributes:
        text: whole characters to append; may be empty in the last delta.
        tokens: the tokens drawn since the last delta.
    """

    text: str
    tokens: tuple[TokenInfo, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request cost.

    Attributes:
        prompt_tokens: tokens of the prompt.
        cached_tokens: of these, tokens whose KV was found and not computed again.
        generated_tokens: tokens drawn.
        time_to_first_token_ms: from submission to the first token; 0 without one.
        tokens_per_second: generated tokens after the first, for each second after the first.
        seed: the seed of the draws.
    """

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    time_to_first_token_ms: float
    tokens_per_second: float
    seed: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole reply.

    Attributes:
        text: the reply, without its end token or stop string.
        token_ids: every token drawn, with the end or stop tokens if any. The KV of the prompt and
            of all these but the last stays in the cache.
        finish_reason: why it ended.
        usage: what it cost.
        stop_text: the stop string that ended it, if one did.
        prompt_tokens: with `echo`, the prompt.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    usage: Usage
    stop_text: str | None = None
    prompt_tokens: tuple[TokenInfo, ...] = ()
