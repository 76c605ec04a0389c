"""What is said about drawn tokens: their log-probabilities and the alternatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels.sampling import reference as ops

from townsfolk.sampling.token import TokenInfo, plain_token


@dataclass(slots=True)
class SampledTokens:
    """Tokens and how likely they were; on the sampler's device, not yet waited for."""

    token_ids: Tensor
    """[n] int64."""
    logprobs: Tensor
    """[n] float32 in nats, of the model's own distribution: before temperature, penalties, bias
    and filters. NaN for a request that did not ask."""
    top_ids: Tensor | None
    """[n, k] int64, likeliest first, where k is the most that any request of the batch asked for;
    None when none asked. A request's own are the first of its row."""
    top_logprobs: Tensor | None
    """[n, k] float32; NaN for a request that did not ask."""
    entropies: Tensor | None = None
    """[n] float32 in nats, where a request asked; None for tokens of a prompt."""
    drawn_logprobs: Tensor | None = None
    """[n] float32 in nats, of the distributions that were drawn from, where a request asked; NaN
    where top-k or top-p cut one. None for tokens of a prompt."""

    def part(self, of: slice) -> SampledTokens:
        """Some of them."""
        ids, logprobs = self.top_ids, self.top_logprobs
        return SampledTokens(
            self.token_ids[of],
            self.logprobs[of],
            None if ids is None else ids[of],
            None if logprobs is None else logprobs[of],
        )


@dataclass(frozen=True, slots=True)
class LogprobRequest:
    """Which rows of a batch want log-probabilities."""

    rows: int
    """How many rows the batch has."""
    places: Tensor | None
    """[m] int64, the rows that want them; None when all do."""
    asked: bool
    """Whether any row does."""
    top_n: int
    """The most alternatives that any row wants."""

    @classmethod
    def of(cls, wanted: Sequence[int | None], device: torch.device) -> LogprobRequest:
        """From what each row wants: a number of alternatives, or None for nothing at all."""
        places = [n for n, top_n in enumerate(wanted) if top_n is not None]
        everywhere = len(places) == len(wanted)
        return cls(
            rows=len(wanted),
            places=None if everywhere else torch.tensor(places, dtype=torch.int64, device=device),
            asked=bool(places),
            top_n=max((n for n in wanted if n is not None), default=0),
        )


def prompt_logprobs(logits: Tensor, next_ids: Tensor, top_n: int) -> SampledTokens:
    """Log-probabilities of the tokens of a prompt, in nats.

    Args:
        logits: [n, vocab] float32, each row after a token of the prompt.
        next_ids: [n] int64, the token that follows.
        top_n: how many of the likeliest tokens to report with each; 0 for none.
    """
    logprobs, top_ids, top_logprobs = ops.token_logprobs(logits, next_ids, top_n)
    if top_n == 0:
        return SampledTokens(next_ids, logprobs, None, None)
    return SampledTokens(next_ids, logprobs, top_ids, top_logprobs)


def with_logprobs(logits: Tensor, token_ids: Tensor, request: LogprobRequest) -> SampledTokens:
    """Add log-probabilities for the rows that want them; the others cost nothing.

    Args:
        logits: [n, vocab] float32, as the model gave them.
        token_ids: [n] int64, the tokens drawn.
        request: which rows want what.
    """
    if request.places is None:
        whole = prompt_logprobs(logits, token_ids, request.top_n)
        whole.entropies = ops.entropies(logits)
        return whole
    logprobs = torch.full((request.rows,), math.nan, device=logits.device)
    result = SampledTokens(token_ids, logprobs, None, None)
    if request.asked:
        some = prompt_logprobs(logits[request.places], token_ids[request.places], request.top_n)
        logprobs[request.places] = some.logprobs
        result.entropies = torch.full_like(logprobs, math.nan)
        result.entropies[request.places] = ops.entropies(logits[request.places])
        if some.top_ids is not None and some.top_logprobs is not None:
            width = some.top_ids.shape[1]
            result.top_ids = token_ids.new_zeros(request.rows, width)
            result.top_ids[request.places] = some.top_ids
            result.top_logprobs = logprobs.new_full((request.rows, width), math.nan)
            result.top_logprobs[request.places] = some.top_logprobs
    return result


def token_infos(sampled: SampledTokens, asked: Sequence[int | None]) -> list[TokenInfo]:
    """Read tokens, waiting for the device; `asked[i]` alternatives are reported for the i-th."""
    token_ids = sampled.token_ids.tolist()
    if all(count is None for count in asked):
        return [plain_token(token_id) for token_id in token_ids]
    logprobs = sampled.logprobs.tolist()
    top_ids = top_logprobs = [()] * len(asked)
    entropies: list[float | None] = [None] * len(asked)
    if sampled.entropies is not None:
        entropies = sampled.entropies.tolist()
    drawn: list[float] = []
    if sampled.drawn_logprobs is not None:
        drawn = sampled.drawn_logprobs.tolist()
    if sampled.top_ids is not None and sampled.top_logprobs is not None:
        top_ids, top_logprobs = sampled.top_ids.tolist(), sampled.top_logprobs.tolist()
    return [
        plain_token(token_ids[i])
        if count is None
        else TokenInfo(
            token_ids[i],
            logprobs[i],
            tuple(zip(top_ids[i][:count], top_logprobs[i][:count], strict=True)),
            entropies[i],
            known(drawn[i]) if drawn else None,
        )
        for i, count in enumerate(asked)
    ]


def known(value: float) -> float | None:
    """Return a number, or None for one that is not known, which devices write as NaN."""
    return None if math.isnan(value) else value
