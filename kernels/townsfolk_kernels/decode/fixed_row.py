"""A row of activations in fixed point, times packed rows: dot products of whole numbers.

Each run of columns that a thread holds gets a scale by its largest number, and each number 16 bits:
in two bytes, as the device multiplies four bytes and adds them by one instruction. So the integers
of a weight are multiplied as they are and products are exact; what numbers lose is less than they
lost when they were rounded to 16 bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

from townsfolk_kernels.decode.packed_row import number, quarters
from townsfolk_kernels.gpu.units import AFFINE4, SCALED6, SCALED8, USES_ASSEMBLER


@triton.jit
def _bytes_of(a, b, ODD: tl.constexpr):
    """Return bytes 0 and 2 of two words, or 1 and 3, in one."""
    if USES_ASSEMBLER:
        if ODD:
            return tl.inline_asm_elementwise(
                "prmt.b32 $0, $1, $2, 0x7531;", "=r,r,r", [a, b], tl.int32, is_pure=True, pack=1
            )
        else:
            return tl.inline_asm_elementwise(
                "prmt.b32 $0, $1, $2, 0x6420;", "=r,r,r", [a, b], tl.int32, is_pure=True, pack=1
            )
    else:
        p, q = a, b
        if ODD:
            p, q = a >> 8, b >> 8
        lower = (p & 0xFF) | ((p >> 8) & 0xFF00)
        return lower | (((q & 0xFF) | ((q >> 8) & 0xFF00)) << 16)


@triton.jit
def _dot(a, b, c, A_SIGNED: tl.constexpr, B_SIGNED: tl.constexpr):
    """Return `c` and the products of four bytes each of `a` and `b`."""
    if USES_ASSEMBLER:
        if A_SIGNED and B_SIGNED:
            return tl.inline_asm_elementwise(
                "dp4a.s32.s32 $0, $1, $2, $3;", "=r,r,r,r", [a, b, c], tl.int32, is_pure=True,
                pack=1,
            )  # fmt: skip
        elif A_SIGNED:
            return tl.inline_asm_elementwise(
                "dp4a.s32.u32 $0, $1, $2, $3;", "=r,r,r,r", [a, b, c], tl.int32, is_pure=True,
                pack=1,
            )  # fmt: skip
        elif B_SIGNED:
            return tl.inline_asm_elementwise(
                "dp4a.u32.s32 $0, $1, $2, $3;", "=r,r,r,r", [a, b, c], tl.int32, is_pure=True,
                pack=1,
            )  # fmt: skip
        else:
            return tl.inline_asm_elementwise(
                "dp4a.u32.u32 $0, $1, $2, $3;", "=r,r,r,r", [a, b, c], tl.int32, is_pure=True,
                pack=1,
            )  # fmt: skip
    else:
        for i in tl.static_range(4):
            left, right = a << (24 - 8 * i), b << (24 - 8 * i)
            left = left >> 24 if A_SIGNED else (left >> 24) & 0xFF
            right = right >> 24 if B_SIGNED else (right >> 24) & 0xFF
            c += left * right
        return c


@triton.jit
def _paired(a, b):
    """Return the lower bytes of two words, then their second ones."""
    if USES_ASSEMBLER:
        return tl.inline_asm_elementwise(
            "prmt.b32 $0, $1, $2, 0x5140;", "=r,r,r", [a, b], tl.int32, is_pure=True, pack=1
        )
    else:
        lower = (a & 0xFF) | ((b & 0xFF) << 8)
        return lower | ((a & 0xFF00) << 8) | ((b & 0xFF00) << 16)


@triton.jit
def _halves(a, b, UPPER: tl.constexpr):
    """Return the lower, or upper, 16 bits of two words in one."""
    if USES_ASSEMBLER:
        if UPPER:
            return tl.inline_asm_elementwise(
                "prmt.b32 $0, $1, $2, 0x7632;", "=r,r,r", [a, b], tl.int32, is_pure=True, pack=1
            )
        else:
            return tl.inline_asm_elementwise(
                "prmt.b32 $0, $1, $2, 0x5410;", "=r,r,r", [a, b], tl.int32, is_pure=True, pack=1
            )
    else:
        if UPPER:
            return ((a >> 16) & 0xFFFF) | (b & -65536)
        else:
            return (a & 0xFFFF) | (b << 16)


@triton.jit
def _largest(words, most, dtype: tl.constexpr):
    """Return the larger of `most` and the magnitudes of 8 numbers; NaN if one is."""
    for i in tl.static_range(4):
        for j in tl.static_range(2):
            size = tl.abs(number(words[i], j, dtype))
            most = tl.maximum(most, size, propagate_nan=tl.PropagateNan.ALL)
    return most


@triton.jit
def _integer(number, factor):
    """Return a number times `factor`, rounded, in the lower 16 bits."""
    return (number * factor + 12582912.0).to(tl.int32, bitcast=True)


@triton.jit
def _integers(words, factor, dtype: tl.constexpr):
    """Return 8 numbers in fixed point: two words of their lower bytes, two of their upper ones."""
    a = _paired(
        _integer(number(words[0], 0, dtype), factor), _integer(number(words[0], 1, dtype), factor)
    )
    b = _paired(
        _integer(number(words[1], 0, dtype), factor), _integer(number(words[1], 1, dtype), factor)
    )
    c = _paired(
        _integer(number(words[2], 0, dtype), factor), _integer(number(words[2], 1, dtype), factor)
    )
    d = _paired(
        _integer(number(words[3], 0, dtype), factor), _integer(number(words[3], 1, dtype), factor)
    )
    return _halves(a, b, False), _halves(c, d, False), _halves(a, b, True), _halves(c, d, True)


@triton.jit
def _scales(most):
    """Return the factor that makes integers of 16 bits of numbers up to `most`, and its inverse."""
    most = tl.maximum(most, 1e-30, propagate_nan=tl.PropagateNan.ALL)
    return 32767.0 / most, most * (1 / 32767.0)


@triton.jit
def _sum_of(x):
    """Return the sum of 8 integers, in fp32."""
    ones = x[0] * 0 + 0x01010101
    upper = _dot(ones, x[2], _dot(ones, x[3], x[0] * 0, False, True), False, True)
    return _dot(ones, x[0], _dot(ones, x[1], upper << 8, False, False), False, False).to(tl.float32)


@triton.jit
def _row_of(x, ROWS: tl.constexpr):
    """Return the row as four tiles of words: [ROWS, runs]."""
    return quarters(tl.broadcast_to(x[None, :], [ROWS, x.shape[0]]))


@triton.jit
def _product(first, second, x, SIGNED: tl.constexpr):
    """Return the sum of 8 bytes times 8 integers, in fp32; `first` has those of 4 columns."""
    total = _dot(first, x[2], _dot(second, x[3], x[0] * 0, SIGNED, True), SIGNED, True) << 8
    total = _dot(first, x[0], _dot(second, x[1], total, SIGNED, False), SIGNED, False)
    return total.to(tl.float32)


@triton.jit
def fixed_row(x, ROWS: tl.constexpr, dtype: tl.constexpr, LAYOUT: tl.constexpr):
    """Bring what `load_row` gave into fixed point, for tiles of so many rows of the weight.

    Returns:
        What a run's integers are multiplied with afterwards, [ROWS, runs]; for each part four
        words, from `_integers`; for each part the sum of its integers, where a layout needs it.
    """
    if LAYOUT == SCALED6:
        row = _fixed_parts_of_eight(x, ROWS, dtype)
    elif LAYOUT == SCALED8:
        row = _fixed_parts_of_two(x, ROWS, dtype)
    else:
        row = _fixed_parts_of_four(x, ROWS, dtype)
    return row


@triton.jit
def _fixed_parts_of_two(x, ROWS: tl.constexpr, dtype: tl.constexpr):
    x0, x1 = _row_of(x[0], ROWS), _row_of(x[1], ROWS)
    factor, scale = _scales(_largest(x1, _largest(x0, 0.0, dtype), dtype))
    return scale, (_integers(x0, factor, dtype), _integers(x1, factor, dtype)), (scale,)


@triton.jit
def _fixed_parts_of_four(x, ROWS: tl.constexpr, dtype: tl.constexpr):
    x0, x1 = _row_of(x[0], ROWS), _row_of(x[1], ROWS)
    x2, x3 = _row_of(x[2], ROWS), _row_of(x[3], ROWS)
    most = _largest(x1, _largest(x0, 0.0, dtype), dtype)
    factor, scale = _scales(_largest(x3, _largest(x2, most, dtype), dtype))
    i0, i1 = _integers(x0, factor, dtype), _integers(x1, factor, dtype)
    i2, i3 = _integers(x2, factor, dtype), _integers(x3, factor, dtype)
    return scale, (i0, i1, i2, i3), (_sum_of(i0), _sum_of(i1), _sum_of(i2), _sum_of(i3))


@triton.jit
def _fixed_parts_of_eight(x, ROWS: tl.constexpr, dtype: tl.constexpr):
    x0, x1 = _row_of(x[0], ROWS), _row_of(x[1], ROWS)
    x2, x3 = _row_of(x[2], ROWS), _row_of(x[3], ROWS)
    x4, x5 = _row_of(x[4], ROWS), _row_of(x[5], ROWS)
    x6, x7 = _row_of(x[6], ROWS), _row_of(x[7], ROWS)
    most = _largest(x1, _largest(x0, 0.0, dtype), dtype)
    most = _largest(x3, _largest(x2, most, dtype), dtype)
    most = _largest(x5, _largest(x4, most, dtype), dtype)
    factor, scale = _scales(_largest(x7, _largest(x6, most, dtype), dtype))
    i0, i1 = _integers(x0, factor, dtype), _integers(x1, factor, dtype)
    i2, i3 = _integers(x2, factor, dtype), _integers(x3, factor, dtype)
    i4, i5 = _integers(x4, factor, dtype), _integers(x5, factor, dtype)
    i6, i7 = _integers(x6, factor, dtype), _integers(x7, factor, dtype)
    sums = (
        _sum_of(i0), _sum_of(i1), _sum_of(i2), _sum_of(i3),
        _sum_of(i4), _sum_of(i5), _sum_of(i6), _sum_of(i7),
    )  # fmt: skip
    return scale, (i0, i1, i2, i3, i4, i5, i6, i7), sums


@triton.jit
def times_fixed_row(a, b, h, s, row, LAYOUT: tl.constexpr):
    """Return [rows, runs] fp32: what `hold_packed` gave by runs, times what `fixed_row` gave.

    Args:
        a: from `hold_packed`, as `b`, `h` and `s` are.
        b: see `a`.
        h: see `a`.
        s: see `a`.
        row: from `fixed_row`, for as many rows.
        LAYOUT: the value of a `PackedLayout`.
    """
    if LAYOUT == SCALED6:
        total = _times_six_bits(a, b, h, s, row[1], row[2])
    elif LAYOUT == SCALED8:
        total = _times_eight_bits(a, s, row[1])
    else:
        total = _times_four_bits(a, s, row[1], row[2], LAYOUT)
    return total * row[0]


@triton.jit
def _half(word, i: tl.constexpr):
    """Return the i-th 16 bits of a word, fp16, in fp32."""
    return (word >> (16 * i)).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _times_eight_bits(a, s, x):
    f0, f1 = _half(s[0], 0), _half(s[0], 1)
    w = quarters(a)
    first, second = _bytes_of(w[0], w[1], False), _bytes_of(w[2], w[3], False)
    total = _product(first, second, x[0], True) * f0
    first, second = _bytes_of(w[0], w[1], True), _bytes_of(w[2], w[3], True)
    return total + _product(first, second, x[1], True) * f1


@triton.jit
def _lower(word):
    return word & 0x0F0F0F0F


@triton.jit
def _times_four_bits(a, s, x, sums, LAYOUT: tl.constexpr):
    if LAYOUT == AFFINE4:
        f0, g0, f1, g1 = _half(s[0], 0), _half(s[0], 1), _half(s[0], 2), _half(s[0], 3)
        f2, g2, f3, g3 = _half(s[1], 0), _half(s[1], 1), _half(s[1], 2), _half(s[1], 3)
    else:
        f0, f1, f2, f3 = _half(s[0], 0), _half(s[0], 1), _half(s[0], 2), _half(s[0], 3)
        g0, g1, g2, g3 = -8 * f0, -8 * f1, -8 * f2, -8 * f3
    w = quarters(a)
    first, second = _bytes_of(w[0], w[1], False), _bytes_of(w[2], w[3], False)
    total = _product(_lower(first), _lower(second), x[0], False) * f0
    total += _product(_lower(first >> 4), _lower(second >> 4), x[1], False) * f1
    first, second = _bytes_of(w[0], w[1], True), _bytes_of(w[2], w[3], True)
    total += _product(_lower(first), _lower(second), x[2], False) * f2
    total += _product(_lower(first >> 4), _lower(second >> 4), x[3], False) * f3
    total += sums[0] * g0
    total += sums[1] * g1
    total += sums[2] * g2
    total += sums[3] * g3
    return total


@triton.jit
def _times_six_bits(a, b, h, s, x, sums):
    # 32 bits have the scales of a part's halves; the first two runs of a unit are of the first.
    RUNS: tl.constexpr = a.shape[1] // 4
    place = (tl.arange(0, RUNS)[None, :] // 2 % 2 * 16).to(tl.int64)
    s0, s1, s2, s3 = s[0] >> place, s[1] >> place, s[2] >> place, s[3] >> place
    f0, f1, f2, f3 = _half(s0, 0), _half(s0, 2), _half(s1, 0), _half(s1, 2)
    f4, f5, f6, f7 = _half(s2, 0), _half(s2, 2), _half(s3, 0), _half(s3, 2)
    p, q, u = quarters(a), quarters(b), quarters(h)
    a0, a1 = _bytes_of(p[0], p[1], False), _bytes_of(p[2], p[3], False)
    b0, b1 = _bytes_of(q[0], q[1], False), _bytes_of(q[2], q[3], False)
    h0, h1 = _bytes_of(u[0], u[1], False), _bytes_of(u[2], u[3], False)
    total = _six_bit_part(a0, a1, h0 << 4, h1 << 4, x[0], sums[0], f0)
    total += _six_bit_part(a0 >> 4, a1 >> 4, h0 << 2, h1 << 2, x[1], sums[1], f1)
    total += _six_bit_part(b0, b1, h0, h1, x[4], sums[4], f4)
    total += _six_bit_part(b0 >> 4, b1 >> 4, h0 >> 2, h1 >> 2, x[5], sums[5], f5)
    a0, a1 = _bytes_of(p[0], p[1], True), _bytes_of(p[2], p[3], True)
    b0, b1 = _bytes_of(q[0], q[1], True), _bytes_of(q[2], q[3], True)
    h0, h1 = _bytes_of(u[0], u[1], True), _bytes_of(u[2], u[3], True)
    total += _six_bit_part(a0, a1, h0 << 4, h1 << 4, x[2], sums[2], f2)
    total += _six_bit_part(a0 >> 4, a1 >> 4, h0 << 2, h1 << 2, x[3], sums[3], f3)
    total += _six_bit_part(b0, b1, h0, h1, x[6], sums[6], f6)
    total += _six_bit_part(b0 >> 4, b1 >> 4, h0 >> 2, h1 >> 2, x[7], sums[7], f7)
    return total


@triton.jit
def _six_bit_part(first, second, high_first, high_second, x, sums, scales):
    first = _lower(first) | (high_first & 0x30303030)
    second = _lower(second) | (high_second & 0x30303030)
    return (_product(first, second, x, False) - 32 * sums) * scales
