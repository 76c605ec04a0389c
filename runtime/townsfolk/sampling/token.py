"""A token that was drawn or read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token and, when asked for, how likely it and its alternatives were.

    Attributes:
        token_id: the token.
        logprob: natural logarithm of its probability in the model's unfiltered distribution; None
            when log-probabilities were not asked for; 0 for a prompt's first token.
        top: the likeliest tokens and their log-probabilities, most likely first.
        entropy: of the model's unfiltered distribution at a token that was drawn, in nats; None
            when log-probabilities were not asked for.
        drawn_logprob: natural logarithm of its probability in the distribution that it was drawn
            from, behind penalties, biases, masks and temperature; None when log-probabilities were
            not asked for, when it was not drawn, and where top-k or top-p cut the distribution.
    """

    token_id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    entropy: float | None = None
    drawn_logprob: float | None = None


@lru_cache(maxsize=32768)
def plain_token(token_id: int) -> TokenInfo:
    """Return a token of which nothing else is reported.

    Each reply's every token is one: to make them anew was a sixth of what the engine's thread did.
    """
    return TokenInfo(token_id)
