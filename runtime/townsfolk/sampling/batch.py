"""How a batch is drawn: each row by which method, with its parameters on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto

import torch
from torch import Tensor
from townsfolk_kernels.sampling import reference as ops

from townsfolk.sampling.history import Penalized
from townsfolk.sampling.params import SamplingParams
from townsfolk.sampling.report import LogprobRequest


class DrawMethod(Enum):
    """From what a row draws; the three cost very different amounts of work."""

    CANDIDATES = auto()
    """Top-k, and greedy as the case k = 1: only k tokens are sorted."""
    NUCLEUS = auto()
    """Top-p without top-k: as many tokens are sorted as it takes."""
    VOCABULARY = auto()
    """Neither: nothing is sorted."""

    @classmethod
    def of(cls, params: SamplingParams, vocab_size: int) -> DrawMethod:
        """Return the method that does least for what `params` ask."""
        if params.temperature == 0 or 0 < params.top_k < vocab_size:
            return cls.CANDIDATES
        return cls.NUCLEUS if params.top_p < 1 else cls.VOCABULARY


class DrawGroup:
    """The rows of a batch that are drawn by one method."""

    def __init__(
        self,
        method: DrawMethod,
        places: Sequence[int],
        batch: Sequence[SamplingParams],
        device: torch.device,
    ) -> None:
        params = [batch[n] for n in places]
        # Most batches have one group: then nothing is copied.
        everything = len(places) == len(batch)
        self.places = slice(None) if everything else torch.tensor(places, device=device)
        self._method = method
        greedy = [p.temperature == 0 for p in params]

        def numbers(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device)

        self._temperature = numbers(
            [1.0 if g else p.temperature for g, p in zip(greedy, params, strict=True)]
        )
        self._top_p = numbers([p.top_p for p in params])
        self._min_p = numbers([p.min_p for p in params])
        self._uses_min_p = any(p.min_p > 0 for p in params)
        top_k = [1 if g else p.top_k for g, p in zip(greedy, params, strict=True)]
        self._max_top_k = max(top_k)
        self._top_k = torch.tensor(top_k, device=device)

    def draw(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Return one token for each of its rows: [n] int64."""
        temperature, top_p, min_p = self._temperature, self._top_p, self._min_p
        if self._method is DrawMethod.CANDIDATES:
            return ops.draw_from_candidates(
                logits, uniforms, temperature, self._top_k, top_p, min_p, self._max_top_k
            )
        if self._method is DrawMethod.NUCLEUS:
            return ops.draw_from_nucleus(logits, uniforms, temperature, top_p, min_p)
        return ops.draw_from_vocabulary(
            logits, uniforms, temperature, min_p if self._uses_min_p else None
        )


class DrawBatch:
    """All that follows from which rows a batch has: equal batches need not find it again."""

    def __init__(
        self,
        rows: Sequence[int],
        params: Sequence[SamplingParams],
        vocab_size: int,
        device: torch.device,
    ) -> None:
        self.rows = tuple(rows)
        self.params = tuple(params)
        self.row_ids = torch.tensor(self.rows, device=device)  # [n]
        biased = [n for n, p in enumerate(params) if p.logit_bias]
        self.biased = torch.tensor(biased, device=device) if biased else None
        self.penalized = Penalized.of(rows, params, device)
        self.logprobs = LogprobRequest.of([p.logprobs for p in params], device)
        whole = [n for n, p in enumerate(params) if p.logprobs is not None and _is_whole(p)]
        self._whole = torch.tensor(whole, device=device) if whole else None
        divisors = [params[n].temperature for n in whole]
        self._divisors = torch.tensor(divisors, dtype=torch.float64, device=device)[:, None]
        shares = [params[n].min_p for n in whole]
        self._shares = torch.tensor(shares, dtype=torch.float64, device=device)[:, None]
        methods: dict[DrawMethod, list[int]] = {}
        for n, p in enumerate(params):
            methods.setdefault(DrawMethod.of(p, vocab_size), []).append(n)
        self._groups = [
            DrawGroup(method, places, params, device) for method, places in methods.items()
        ]

    def draw(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Return one token for each row.

        Args:
            logits: [n, vocab] float32, edited.
            uniforms: [n] float64.

        Returns:
            [n] int64.
        """
        if len(self._groups) == 1:
            return self._groups[0].draw(logits, uniforms)
        drawn = torch.empty_like(self.row_ids)
        for group in self._groups:
            drawn[group.places] = group.draw(logits[group.places], uniforms[group.places])
        return drawn

    def drawn_logprobs(self, logits: Tensor, token_ids: Tensor) -> Tensor | None:
        """Return how likely tokens were in the distributions that they were drawn from, in nats.

        Args:
            logits: [n, vocab] float32, edited.
            token_ids: [n] int64.

        Returns:
            [n] float32; NaN for a row that did not ask, and where top-k or top-p cut the
            distribution. None where that is all rows.
        """
        if self._whole is None:
            return None
        scores = logits[self._whole].double().div_(self._divisors)  # [m, vocab]
        if self._shares.any():
            least = scores.amax(-1, keepdim=True) + self._shares.log()
            scores.masked_fill_(scores < least, -math.inf)
        logprobs = torch.log_softmax(scores, -1).gather(1, token_ids[self._whole, None])[:, 0]
        every = torch.full(token_ids.shape, math.nan, device=logits.device)
        every[self._whole] = logprobs.float()
        return every


def _is_whole(params: SamplingParams) -> bool:
    """Return whether no filter cuts the distribution to tokens that only a sort tells."""
    return params.temperature > 0 and params.top_k == 0 and params.top_p >= 1
