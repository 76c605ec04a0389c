"""One row of activations times packed rows: how both come into registers.

Each thread holds runs of 4 neighbouring words of integers, with their scales, and the numbers of
the row that they are multiplied with; `decode.fixed_row` multiplies them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from townsfolk_kernels.gpu.units import AFFINE4, CODE4, SCALED6, SCALED8


@triton.jit
def _load(at, mask, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=mask, other=0, eviction_policy="evict_first")
    else:
        return tl.load(at, eviction_policy="evict_first")


@triton.jit
def hold_packed(
    w, n, STRIDE: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr, LAYOUT: tl.constexpr
):  # fmt: skip
    """Load rows `n` of a weight, before a program waits; `WIDTH` is `UNITS` as a power of two.

    Scales are words for each run of 4 words of integers, which one thread holds.
    """
    MASKED: tl.constexpr = WIDTH != UNITS
    row = w + n.to(tl.int64) * STRIDE
    words = row.to(tl.pointer_type(tl.int32))[:, None]
    c = tl.arange(0, 16 * WIDTH)[None, :]
    inside = c < 16 * UNITS
    if LAYOUT == SCALED6:
        a = _load(words + (c // 16 * 32 + c % 16), inside, MASKED)
        b = _load(words + (c // 16 * 32 + c % 16 + 16), inside, MASKED)
        h = _load(words + (UNITS * 32 + c), inside, MASKED)
    else:
        a = _load(words + c, inside, MASKED)
        b = a
        h = a
    return a, b, h, _scales_of_runs(row, UNITS, WIDTH, LAYOUT, MASKED)


@triton.jit
def _scales_of_runs(
    row, UNITS: tl.constexpr, WIDTH: tl.constexpr, LAYOUT: tl.constexpr, MASKED: tl.constexpr
):
    """Return four words [rows, runs], where there are so many; others of a unit load them, too.

    They are loaded as [runs, rows]: the compiler then deals them out as it does integers, and no
    product has to go through shared memory to meet its scale.
    """
    unit = (tl.arange(0, 4 * WIDTH) // 4)[:, None]
    is_unit = unit < UNITS
    long = row.to(tl.pointer_type(tl.int64))[None, :]
    if LAYOUT == AFFINE4:
        both = (long + (UNITS * 8 + unit * 2))[:, :, None] + tl.arange(0, 2)[None, None, :]
        s0, s1 = tl.split(_load(both, is_unit[:, :, None], MASKED))
        s2 = s0
        s3 = s0
    elif LAYOUT == CODE4:
        s0 = _load(long + (UNITS * 8 + unit), is_unit, MASKED)
        s1 = s0
        s2 = s0
        s3 = s0
    elif LAYOUT == SCALED8:
        short = row.to(tl.pointer_type(tl.int32))[None, :]
        s0 = _load(short + (UNITS * 16 + unit), is_unit, MASKED)
        s1 = s0
        s2 = s0
        s3 = s0
    else:
        tl.static_assert(LAYOUT == SCALED6)
        lower = (long + (UNITS * 24 + unit * 4))[:, :, None] + tl.arange(0, 2)[None, None, :]
        s0, s1 = tl.split(_load(lower, is_unit[:, :, None], MASKED))
        s2, s3 = tl.split(_load(lower + 2, is_unit[:, :, None], MASKED))
    return tl.trans(s0), tl.trans(s1), tl.trans(s2), tl.trans(s3)


@triton.jit
def load_row(x, UNITS: tl.constexpr, WIDTH: tl.constexpr, K: tl.constexpr, LAYOUT: tl.constexpr):
    """Return the row of activations, 16 bits each, by part of a unit: two neighbours to a word."""
    PARTS: tl.constexpr = 8 if LAYOUT == SCALED6 else (2 if LAYOUT == SCALED8 else 4)
    c = tl.arange(0, 16 * WIDTH)
    first = c // 16 * (16 * PARTS) + c % 16
    at = x.to(tl.pointer_type(tl.int32)) + first
    MASKED: tl.constexpr = WIDTH * PARTS * 32 != K
    x0 = _load_part(at, first, K, MASKED)
    x1 = _load_part(at + 16, first + 16, K, MASKED)
    x2 = x0
    x3 = x0
    if PARTS >= 4:
        x2 = _load_part(at + 32, first + 32, K, MASKED)
        x3 = _load_part(at + 48, first + 48, K, MASKED)
    x4 = x0
    x5 = x0
    x6 = x0
    x7 = x0
    if PARTS == 8:
        x4 = _load_part(at + 64, first + 64, K, MASKED)
        x5 = _load_part(at + 80, first + 80, K, MASKED)
        x6 = _load_part(at + 96, first + 96, K, MASKED)
        x7 = _load_part(at + 112, first + 112, K, MASKED)
    return x0, x1, x2, x3, x4, x5, x6, x7


@triton.jit
def _load_part(at, first, K: tl.constexpr, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=first < K // 2, other=0)
    else:
        return tl.load(at)


@triton.jit
def number(word, i: tl.constexpr, dtype: tl.constexpr):
    """Return the lower or upper 16 bits of a word as a number, in fp32."""
    if dtype == tl.bfloat16:
        if i == 0:
            return (word << 16).to(tl.float32, bitcast=True)
        else:
            return (word & -65536).to(tl.float32, bitcast=True)
    else:
        return (word >> (16 * i)).to(tl.int16).to(dtype, bitcast=True).to(tl.float32)


@triton.jit
def quarters(tile):
    """Part each 4 neighbouring words, which one thread holds: four tiles [rows, runs]."""
    ROWS: tl.constexpr = tile.shape[0]
    RUNS: tl.constexpr = tile.shape[1] // 4
    even, odd = tl.split(tl.reshape(tile, [ROWS, RUNS, 2, 2]))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    return first, second, third, fourth
