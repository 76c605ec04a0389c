"""How each request draws, on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_CANDIDATES = 64
"""Tokens that are sorted. Draws from more of them search the vocabulary."""
MAX_TOP_LOGPROBS = 20
MOST_SAID = 0x7FFF
"""Times that a token is counted in a reply."""
IN_PROMPT = -0x8000
"""Mark of a token that is in the prompt: the sign bit of int16."""


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Parameters of every row, on the device.

    Attributes:
        numbers: [max_rows, 4], float64: temperature (above 0), top-p, min-p, unused.
        counts: [max_rows, 5], int32: top-k (1 is greedy, 0 all tokens), how many tokens come before
            an end token may be drawn, the number of end tokens, the number of biases, and how many
            alternatives are reported (-1: no log-probabilities at all).
        seeds: [max_rows], int64: all 64 bits used.
        ends: [max_rows, most ends], int32: end tokens.
        bias_ids: [max_rows, most biases], int32: tokens that have a bias, each once.
        biases: [max_rows, most biases], float32: what is added to their logits.
        penalties: [max_rows, 4], float32: repetition (1 for none), presence, frequency, and whether
            there are any.
        said: [max_rows, vocab], int16: how often a token is in the reply, at most MOST_SAID, plus
            IN_PROMPT where it is in the prompt. Kept for rows with penalties only.
        drawn: [max_rows], int32: the token drawn last.
    """

    numbers: Tensor
    counts: Tensor
    seeds: Tensor
    ends: Tensor
    bias_ids: Tensor
    biases: Tensor
    penalties: Tensor
    said: Tensor
    drawn: Tensor

    @classmethod
    def allocate(
        cls, max_rows: int, vocab: int, most_ends: int, most_biases: int, device: torch.device
    ) -> SamplingRows:
        """Rows that are greedy until they are written."""

        def full(shape: tuple[int, ...], dtype: torch.dtype, value: float) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=device)

        rows = cls(
            numbers=full((max_rows, 4), torch.float64, 1.0),
            counts=full((max_rows, 5), torch.int32, 0),
            seeds=full((max_rows,), torch.int64, 0),
            ends=full((max_rows, most_ends), torch.int32, -1),
            bias_ids=full((max_rows, most_biases), torch.int32, -1),
            biases=full((max_rows, most_biases), torch.float32, 0.0),
            penalties=full((max_rows, 4), torch.float32, 0.0),
            said=full((max_rows, vocab), torch.int16, 0),
            drawn=full((max_rows,), torch.int32, 0),
        )
        rows.counts[:, 0] = 1
        rows.counts[:, 4] = -1
        return rows
