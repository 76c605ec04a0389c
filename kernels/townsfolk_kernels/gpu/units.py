"""Packed rows in kernels: some columns of several rows as tiles of numbers.

A *unit* is 64 columns of a row, or 128 where 16 columns share a scale; a *part* is 32 neighbouring
columns of it. `load_unit` loads what a unit takes of each plane (see `quantized.packing`), and
`part_values` makes of it the numbers of one part.
"""

from __future__ import annotations

import triton
import triton.language as tl

from townsfolk_kernels.quantized.packing import PackedLayout

AFFINE4 = tl.constexpr(PackedLayout.AFFINE4.value)
AFFINE5 = tl.constexpr(PackedLayout.AFFINE5.value)
CODE4 = tl.constexpr(PackedLayout.CODE4.value)
SCALED6 = tl.constexpr(PackedLayout.SCALED6.value)
SCALED8 = tl.constexpr(PackedLayout.SCALED8.value)
AFFINE2 = tl.constexpr(PackedLayout.AFFINE2.value)
SCALED3 = tl.constexpr(PackedLayout.SCALED3.value)

_WIDE = (PackedLayout.SCALED6, PackedLayout.AFFINE2, PackedLayout.SCALED3)


def unit_columns(layout: PackedLayout) -> int:
    """Columns of a unit."""
    return 128 if layout in _WIDE else 64


@triton.jit
def _load(at, mask, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=mask, other=0)
    else:
        return tl.load(at)


@triton.jit
def load_unit(row, unit, inside, UNITS: tl.constexpr, LAYOUT: tl.constexpr, MASKED: tl.constexpr):
    """The bytes of unit `unit` of some rows, for `part_values`.

    Args:
        row: [rows], pointers to uint8: where rows begin.
        unit: which one.
        inside: whether there is such a unit; without it all is 0.
        UNITS: of a row.
        LAYOUT: the value of a `PackedLayout`.
        MASKED: whether `inside` may be false.
    """
    k = tl.arange(0, 32)
    at = row[:, None] + k[None, :]
    words = row.to(tl.pointer_type(tl.int64))
    halves = row.to(tl.pointer_type(tl.int32))
    if LAYOUT == AFFINE4:
        a = _load(at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(words + UNITS * 4 + unit, inside, MASKED)
        q = p
    elif LAYOUT == AFFINE5:
        a = _load(at + unit * 32, inside, MASKED)
        b = _load(row[:, None] + (UNITS * 32 + unit * 8 + k % 8)[None, :], inside, MASKED)
        c = a
        p = _load(words + UNITS * 5 + unit, inside, MASKED)
        q = p
    elif LAYOUT == CODE4:
        a = _load(at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(halves + UNITS * 8 + unit, inside, MASKED)
        q = p
    elif LAYOUT == SCALED8:
        a = _load(at + unit * 64, inside, MASKED)
        b = _load(at + (unit * 64 + 32), inside, MASKED)
        c = a
        p = _load(halves + UNITS * 16 + unit, inside, MASKED)
        q = p
    elif LAYOUT == SCALED6:
        a = _load(at + unit * 64, inside, MASKED)
        b = _load(at + (unit * 64 + 32), inside, MASKED)
        c = _load(at + (UNITS * 64 + unit * 32), inside, MASKED)
        p = _load(words + UNITS * 12 + unit * 2, inside, MASKED)
        q = _load(words + UNITS * 12 + unit * 2 + 1, inside, MASKED)
    elif LAYOUT == AFFINE2:
        a = _load(at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(words + UNITS * 4 + unit, inside, MASKED)
        q = _load(halves + UNITS * 10 + unit // 2, inside, MASKED)
    else:
        a = _load(at + unit * 32, inside, MASKED)
        b = _load(at + (UNITS * 32 + unit // 2 * 32), inside, MASKED) >> (unit % 2 * 4).to(tl.uint8)
        c = a
        p = _load(words + UNITS * 6 + unit, inside, MASKED)
        q = _load(row.to(tl.pointer_type(tl.int16)) + UNITS * 28 + unit // 2, inside, MASKED)
        q = q.to(tl.int32) & 0xFFFF
    return a, b, c, p, q


@triton.jit
def _half(word, i: tl.constexpr, dtype: tl.constexpr):
    """The i-th 16 bits of a word as a float of `dtype`, in fp32."""
    return (word >> (16 * i)).to(tl.int16).to(dtype, bitcast=True).to(tl.float32)


@triton.jit
def _signed_byte(word, i: tl.constexpr):
    return (word >> (8 * i)).to(tl.int8).to(tl.float32)


@triton.jit
def _float(integers):
    """Integers of up to 7 bits, in int16, as fp32: 128 more than they are."""
    return (integers | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True).to(tl.float32)


@triton.jit
def _by_half(first, second):
    """[rows, 32]: `first` [rows] for the first 16 columns, `second` for the others."""
    return tl.where((tl.arange(0, 32) < 16)[None, :], first[:, None], second[:, None])


@triton.jit
def part_values(
    a, b, c, p, q, i: tl.constexpr, LAYOUT: tl.constexpr, table, SCALES: tl.constexpr
):  # fmt: skip
    """The numbers of part `i`, fp32: [rows, 32].

    Args:
        a: from `load_unit`, as `b`, `c`, `p` and `q` are.
        b: see `a`.
        c: see `a`.
        p: see `a`.
        q: see `a`.
        i: which part.
        LAYOUT: the value of a `PackedLayout`.
        table: [16] fp32, what the integers of CODE4 stand for.
        SCALES: dtype of the scales of CODE4.
    """
    if LAYOUT == AFFINE4:
        f, g = _half(p, 2 * i, tl.float16), _half(p, 2 * i + 1, tl.float16)
        integers = (a.to(tl.int16) >> (4 * i)) & 15
        return _float(integers) * f[:, None] + (g - 128 * f)[:, None]
    elif LAYOUT == AFFINE5:
        f, g = _half(p, 2 * i, tl.float16), _half(p, 2 * i + 1, tl.float16)
        high = b.to(tl.int32) >> (tl.arange(0, 32) // 8 + 4 * i)[None, :]
        integers = ((a.to(tl.int16) >> (4 * i)) & 15) | ((high & 1) << 4).to(tl.int16)
        return _float(integers) * f[:, None] + (g - 128 * f)[:, None]
    elif LAYOUT == CODE4:
        numbers = tl.load(table + ((a.to(tl.int32) >> (4 * i)) & 15))
        return numbers * _half(p, i, SCALES)[:, None]
    elif LAYOUT == SCALED8:
        integers = a if i == 0 else b
        # 1024 more than the integer without its sign.
        shifted = ((integers ^ 0x80).to(tl.int16) | 0x6400).to(tl.int16)
        numbers = shifted.to(tl.float16, bitcast=True).to(tl.float32)
        f = _half(p, i, tl.float16)[:, None]
        return numbers * f - 1152 * f
    elif LAYOUT == SCALED6:
        low = a if i % 2 == 0 else b
        integers = ((low.to(tl.int16) >> (i // 2 * 4)) & 15) | (
            ((c.to(tl.int16) >> (2 * i)) & 3) << 4
        )
        word = p if i < 2 else q
        f = _by_half(_half(word, i % 2 * 2, tl.float16), _half(word, i % 2 * 2 + 1, tl.float16))
        return _float(integers) * f - 160 * f
    elif LAYOUT == AFFINE2:
        factor, least = _half(q, 0, tl.float16), _half(q, 1, tl.float16)
        first, second = (p >> (16 * i)).to(tl.int32) & 255, (p >> (16 * i + 8)).to(tl.int32) & 255
        f = _by_half(factor * (first & 15).to(tl.float32), factor * (second & 15).to(tl.float32))
        g = _by_half(least * (first >> 4).to(tl.float32), least * (second >> 4).to(tl.float32))
        integers = (a.to(tl.int16) >> (2 * i)) & 3
        return _float(integers) * f - (128 * f + g)
    else:
        factor = _half(q, 0, tl.float16)
        f = _by_half(factor * _signed_byte(p, 2 * i), factor * _signed_byte(p, 2 * i + 1))
        integers = ((a.to(tl.int16) >> (2 * i)) & 3) | (((b.to(tl.int16) >> i) & 1) << 2)
        return _float(integers) * f - 132 * f
