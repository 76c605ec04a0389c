"""How each request draws, on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton.language as tl
from torch import Tensor

MAX_CANDIDATES = 64
"""Tokens that are sorted. Draws from more of them search the vocabulary."""
MAX_TOP_LOGPROBS = 20
MOST_SAID = 0x7FFF
"""Times that a token is counted in a reply."""
IN_PROMPT = -0x8000
"""Mark of a token that is in the prompt: the sign bit of int16."""

# Columns of `SamplingRows`: constants within kernels, and `.value` outside.
TEMPERATURE, TOP_P, MIN_P = map(tl.constexpr, range(3))
NUMBERS = tl.constexpr(4)  # columns, of which one is not used
TOP_K, MIN_TOKENS, NUM_ENDS, NUM_BIASES, NUM_LOGPROBS = map(tl.constexpr, range(5))
COUNTS = tl.constexpr(5)
REPETITION, PRESENCE, FREQUENCY, PENALIZES = map(tl.constexpr, range(4))
PENALTIES = tl.constexpr(4)


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Parameters of every row, on the device.

    Attributes:
        numbers: [max_rows, NUMBERS], float64: TEMPERATURE (above 0), TOP_P, MIN_P.
        counts: [max_rows, COUNTS], int32: TOP_K (1 is greedy, 0 all tokens), MIN_TOKENS before an
            end token may be drawn, NUM_ENDS (end tokens), NUM_BIASES, and NUM_LOGPROBS, how many
            alternatives are reported (-1: no log-probabilities at all).
        seeds: [max_rows], int64: all 64 bits used.
        ends: [max_rows, most ends], int32: end tokens.
        bias_ids: [max_rows, most biases], int32: tokens that have a bias, each once.
        biases: [max_rows, most biases], float32: what is added to their logits.
        penalties: [max_rows, PENALTIES], float32: REPETITION (1 for none), PRESENCE, FREQUENCY, and
            PENALIZES, whether there are any.
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
        """Take memory for rows, which are greedy until they are written."""

        def full(shape: tuple[int, ...], dtype: torch.dtype, value: float) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=device)

        rows = cls(
            numbers=full((max_rows, NUMBERS.value), torch.float64, 1.0),
            counts=full((max_rows, COUNTS.value), torch.int32, 0),
            seeds=full((max_rows,), torch.int64, 0),
            ends=full((max_rows, most_ends), torch.int32, -1),
            bias_ids=full((max_rows, most_biases), torch.int32, -1),
            biases=full((max_rows, most_biases), torch.float32, 0.0),
            penalties=full((max_rows, PENALTIES.value), torch.float32, 0.0),
            said=full((max_rows, vocab), torch.int16, 0),
            drawn=full((max_rows,), torch.int32, 0),
        )
        rows.counts[:, TOP_K.value] = 1
        rows.counts[:, NUM_LOGPROBS.value] = -1
        return rows
