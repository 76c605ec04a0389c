"""One row of activations times packed rows: a program holds its share of them in registers.

Integers become fp32 numbers by a byte permutation, without a conversion: a byte of 7 bits below an
exponent of 1 is 1 + n / 128. What that adds too much is taken off by the sums of `x`.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

from townsfolk_kernels.gpu.units import AFFINE4, AFFINE5, CODE4, SCALED6, SCALED8

# The interpreter knows no assembler.
USES_ASSEMBLER = tl.constexpr(os.environ.get("TRITON_INTERPRET") != "1")


@triton.jit
def _load(at, mask, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=mask, other=0, eviction_policy="evict_first")
    else:
        return tl.load(at, eviction_policy="evict_first")


@triton.jit
def hold_packed(
    w, n, STRIDE: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr, LAYOUT: tl.constexpr
):
    """What a program loads of rows `n`, before it waits; `WIDTH` is `UNITS` as a power of two."""
    MASKED: tl.constexpr = WIDTH != UNITS
    row = w + n.to(tl.int64) * STRIDE
    words = row.to(tl.pointer_type(tl.int32))[:, None]
    u, c = tl.arange(0, WIDTH), tl.arange(0, 8 * WIDTH)[None, :]
    inside, is_unit = c < 8 * UNITS, (u < UNITS)[None, :, None]
    two, eight = tl.arange(0, 2)[None, None, :], tl.arange(0, 8)[None, None, :]
    halves = row.to(tl.pointer_type(tl.float16))[:, None, None]
    pairs = row.to(tl.pointer_type(tl.int32))[:, None, None]
    unit = u[None, :, None]
    if LAYOUT == AFFINE4:
        a = _load(words + c, inside, MASKED)
        b = a
        h = a
        s = _load(pairs + (UNITS * 8 + unit * 2 + two), is_unit, MASKED)
    elif LAYOUT == AFFINE5:
        a = _load(words + c, inside, MASKED)
        b = a
        h = _load(words + (UNITS * 8 + c // 8 * 2 + c % 2), inside, MASKED)
        s = _load(pairs + (UNITS * 10 + unit * 2 + two), is_unit, MASKED)
    elif LAYOUT == CODE4:
        a = _load(words + c, inside, MASKED)
        b = a
        h = a
        s = _load(halves + (UNITS * 16 + unit * 2 + two), is_unit, MASKED)
    elif LAYOUT == SCALED8:
        a = _load(words + (c // 8 * 16 + c % 8), inside, MASKED)
        b = _load(words + (c // 8 * 16 + c % 8 + 8), inside, MASKED)
        h = a
        s = _load(halves + (UNITS * 32 + unit * 2 + two), is_unit, MASKED)
    else:
        a = _load(words + (c // 8 * 16 + c % 8), inside, MASKED)
        b = _load(words + (c // 8 * 16 + c % 8 + 8), inside, MASKED)
        h = _load(words + (UNITS * 16 + c), inside, MASKED)
        s = _load(halves + (UNITS * 48 + unit * 8 + eight), is_unit, MASKED)
    return a, b, h, s


@triton.jit
def _permuted(t, magic: tl.constexpr, asm: tl.constexpr):
    return tl.inline_asm_elementwise(
        asm, "=r,r,r", [t, magic], dtype=tl.float32, is_pure=True, pack=1
    )


@triton.jit
def _byte(t, i: tl.constexpr, WIDE: tl.constexpr):
    """Byte `i` as fp32: 1 + its lower 7 bits / 128 where bit 7 is set; with WIDE 2**23 + byte."""
    magic: tl.constexpr = 0x4B000000 if WIDE else 0x3F000000
    if USES_ASSEMBLER:
        # The byte goes to place 0 with WIDE, else to place 2; the exponent is on top.
        if WIDE and i == 0:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7440;")
        elif WIDE and i == 1:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7441;")
        elif WIDE and i == 2:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7442;")
        elif WIDE:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7443;")
        elif i == 0:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7044;")
        elif i == 1:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7144;")
        elif i == 2:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7244;")
        else:
            return _permuted(t, magic, "prmt.b32 $0, $1, $2, 0x7344;")
    else:
        byte = (t >> (8 * i)) & 0xFF
        if not WIDE:
            byte = byte << 16
        return (byte | magic).to(tl.float32, bitcast=True)


@triton.jit
def _nibbles(word):
    """The lower 4 bits of each byte, with bit 7 set."""
    if USES_ASSEMBLER:
        return tl.inline_asm_elementwise(
            "lop3.b32 $0, $1, 0x0f0f0f0f, 0x80808080, 0xea;",
            "=r,r",
            [word],
            dtype=tl.int32,
            is_pure=True,
            pack=1,
        )
    else:
        return (word & 0x0F0F0F0F) | -0x7F7F7F80


@triton.jit
def load_row(x, UNITS: tl.constexpr, WIDTH: tl.constexpr, K: tl.constexpr, LAYOUT: tl.constexpr):
    """The row of activations, 16 bits each, by part of a unit: 4 neighbouring ones to a word."""
    PARTS: tl.constexpr = 4 if LAYOUT == SCALED6 else 2
    c = tl.arange(0, 8 * WIDTH)
    at = x.to(tl.pointer_type(tl.int64)) + c // 8 * (8 * PARTS) + c % 8
    first = c // 8 * (8 * PARTS) + c % 8
    MASKED: tl.constexpr = WIDTH * PARTS * 32 != K
    x0 = _load_part(at, first, K, MASKED)
    x1 = _load_part(at + 8, first + 8, K, MASKED)
    x2 = x0
    x3 = x0
    if PARTS == 4:
        x2 = _load_part(at + 16, first + 16, K, MASKED)
        x3 = _load_part(at + 24, first + 24, K, MASKED)
    return x0, x1, x2, x3


@triton.jit
def _load_part(at, first, K: tl.constexpr, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=first < K // 4, other=0)
    else:
        return tl.load(at)


@triton.jit
def _number(word, i: tl.constexpr, dtype: tl.constexpr):
    """The i-th of 4 numbers of 16 bits in a word, in fp32."""
    if dtype == tl.bfloat16:
        pair = (word >> (32 * (i // 2))).to(tl.int32)
        if i % 2 == 0:
            return (pair << 16).to(tl.float32, bitcast=True)
        else:
            return (pair & -65536).to(tl.float32, bitcast=True)
    else:
        return (word >> (16 * i)).to(tl.int16).to(dtype, bitcast=True).to(tl.float32)


@triton.jit
def _by_run(values):
    """Sums over 4 neighbouring words, which a thread holds: [rows, runs]."""
    return tl.sum(tl.reshape(values, [values.shape[0], values.shape[1] // 4, 4]), axis=2)


@triton.jit
def _part(bytes_, x, ROWS: tl.constexpr, dtype: tl.constexpr, WIDE: tl.constexpr):
    """Sums of bytes, as `_byte` has them, times `x`, and of `x` alone, over runs of 16 columns."""
    x = tl.broadcast_to(x[None, :], [ROWS, x.shape[0]])
    x0, x1, x2, x3 = (
        _number(x, 0, dtype),
        _number(x, 1, dtype),
        _number(x, 2, dtype),
        _number(x, 3, dtype),
    )
    if WIDE:
        # 2**23, and 128 as the signs' bits were turned; exact.
        total = (_byte(bytes_, 0, True) - 8388736.0) * x0
        total += (_byte(bytes_, 1, True) - 8388736.0) * x1
        total += (_byte(bytes_, 2, True) - 8388736.0) * x2
        total += (_byte(bytes_, 3, True) - 8388736.0) * x3
        return _by_run(total), 0.0
    else:
        total = _byte(bytes_, 0, False) * x0
        total += _byte(bytes_, 1, False) * x1
        total += _byte(bytes_, 2, False) * x2
        total += _byte(bytes_, 3, False) * x3
        return _by_run(total), _by_run(x0 + x1 + x2 + x3)


@triton.jit
def _pair(word):
    """Scale and shift, fp16 in one word, as fp32."""
    scale = (word & 0xFFFF).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return scale, (word >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _twice(scales):
    """[rows, units] for the two runs of a part each: [rows, 2 * units]."""
    ROWS: tl.constexpr = scales.shape[0]
    UNITS: tl.constexpr = scales.shape[1]
    return tl.reshape(tl.broadcast_to(scales[:, :, None], [ROWS, UNITS, 2]), [ROWS, 2 * UNITS])


@triton.jit
def times_row(a, b, h, s, x, dtype: tl.constexpr, LAYOUT: tl.constexpr):
    """[rows] fp32: what `hold_packed` gave, times the row that `load_row` gave.

    Args:
        a: from `hold_packed`, as `b`, `h` and `s` are.
        b: see `a`.
        h: see `a`.
        s: see `a`.
        x: from `load_row`.
        dtype: of the activations.
        LAYOUT: the value of a `PackedLayout`.
    """
    ROWS: tl.constexpr = a.shape[0]
    if LAYOUT == AFFINE4 or LAYOUT == AFFINE5:  # noqa: SIM109
        first, second = _nibbles(a), _nibbles(a >> 4)
        if LAYOUT == AFFINE5:
            high = h >> (tl.arange(0, a.shape[1]) % 8 // 2)[None, :]
            first |= (high & 0x01010101) << 4
            second |= high & 0x10101010
        p0, q0 = _part(first, x[0], ROWS, dtype, False)
        p1, q1 = _part(second, x[1], ROWS, dtype, False)
        s0, s1 = tl.split(s)
        f0, g0 = _pair(s0)
        f1, g1 = _pair(s1)
        f0 *= 128
        f1 *= 128
        total = p0 * _twice(f0) + q0 * _twice(g0 - f0) + p1 * _twice(f1) + q1 * _twice(g1 - f1)
    elif LAYOUT == CODE4:
        p0, q0 = _part(_nibbles(a), x[0], ROWS, dtype, False)
        p1, q1 = _part(_nibbles(a >> 4), x[1], ROWS, dtype, False)
        f0, f1 = tl.split(s.to(tl.float32))
        total = (128 * p0 - 136 * q0) * _twice(f0) + (128 * p1 - 136 * q1) * _twice(f1)
    elif LAYOUT == SCALED8:
        p0, _ = _part(a ^ -0x7F7F7F80, x[0], ROWS, dtype, True)
        p1, _ = _part(b ^ -0x7F7F7F80, x[1], ROWS, dtype, True)
        f0, f1 = tl.split(s.to(tl.float32))
        total = p0 * _twice(f0) + p1 * _twice(f1)
    else:
        # By part: [rows, units, run of 16, half of the unit, which of its two].
        UNITS: tl.constexpr = s.shape[1]
        scales = tl.permute(tl.reshape(s, [ROWS, UNITS, 2, 2, 2]), (0, 1, 4, 2, 3))
        even, odd = tl.split(scales.to(tl.float32))
        f0, f2 = tl.split(even)
        f1, f3 = tl.split(odd)
        p0, q0 = _part(_nibbles(a) | ((h << 4) & 0x30303030), x[0], ROWS, dtype, False)
        total = (128 * p0 - 160 * q0) * tl.reshape(f0, [ROWS, 2 * UNITS])
        p1, q1 = _part(_nibbles(b) | ((h << 2) & 0x30303030), x[1], ROWS, dtype, False)
        total += (128 * p1 - 160 * q1) * tl.reshape(f1, [ROWS, 2 * UNITS])
        p2, q2 = _part(_nibbles(a >> 4) | (h & 0x30303030), x[2], ROWS, dtype, False)
        total += (128 * p2 - 160 * q2) * tl.reshape(f2, [ROWS, 2 * UNITS])
        p3, q3 = _part(_nibbles(b >> 4) | ((h >> 2) & 0x30303030), x[3], ROWS, dtype, False)
        total += (128 * p3 - 160 * q3) * tl.reshape(f3, [ROWS, 2 * UNITS])
    return tl.sum(total, axis=1)
