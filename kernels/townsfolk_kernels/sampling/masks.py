"""Which tokens may be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

_BITS = tl.constexpr(32)  # of a word


@dataclass(frozen=True, slots=True)
class TokenMasks:
    """Tokens among which the places of a batch draw.

    Attributes:
        rows: [batch], int32: the row of `bits` for each place; -1 where any token may be drawn.
        bits: [rows, ceil(vocab / 32)], int32, contiguous: a bit for each token, from the lowest of
            the first word on; only tokens whose bit is set can be drawn. It may be pinned host
            memory.
    """

    rows: Tensor
    bits: Tensor

    def part(self, of: slice) -> TokenMasks:
        """Return those of some places."""
        return TokenMasks(self.rows[of], self.bits)


@triton.jit
def allowed_of(masks, row, words, program, GROUPS: tl.constexpr, GROUP: tl.constexpr):
    """Return which tokens of a program's groups may be drawn, [GROUPS, GROUP]; below row 0 all.

    Each word is read once, side by side: the host's memory is far away.
    """
    COUNT: tl.constexpr = GROUPS * GROUP // _BITS
    word = program * COUNT + tl.arange(0, COUNT)
    bits = tl.load(masks + row * words + word, mask=(word < words) & (row >= 0), other=-1)
    free = (bits[:, None] >> tl.arange(0, _BITS)[None, :]) & 1
    return tl.reshape(free, [GROUPS, GROUP]) != 0
