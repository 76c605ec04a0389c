"""One row of activations times packed rows: a program holds its share of them in registers.

Integers become fp32 numbers by a byte permutation, without a conversion: a byte of 7 bits below an
exponent of 1 is 1 + n / 128. What that adds too much is taken off by the sums of `x`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from townsfolk_kernels.gpu.units import AFFINE4, CODE4, SCALED6, SCALED8, USES_ASSEMBLER


@triton.jit
def _load(at, mask, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=mask, other=0, eviction_policy="evict_first")
    else:
        return tl.load(at, eviction_policy="evict_first")


@triton.jit
def hold_packed(
    w, n, STRIDE: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr, LAYOUT: tl.constexpr,
    BY_RUN: tl.constexpr,
):  # fmt: skip
    """Load a program's share of rows `n`, before it waits; `WIDTH` is `UNITS` as a power of two.

    With BY_RUN scales are words for each run of 4 words of integers, which one thread holds.
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
    if BY_RUN:
        s = _scales_of_runs(row, UNITS, WIDTH, LAYOUT, MASKED)
    else:
        s = _scales_of_units(row, UNITS, WIDTH, LAYOUT, MASKED)
    return a, b, h, s


@triton.jit
def _scales_of_units(
    row, UNITS: tl.constexpr, WIDTH: tl.constexpr, LAYOUT: tl.constexpr, MASKED: tl.constexpr
):
    unit = tl.arange(0, WIDTH)[None, :, None]
    is_unit = unit < UNITS
    halves = row.to(tl.pointer_type(tl.float16))[:, None, None]
    pairs = row.to(tl.pointer_type(tl.int32))[:, None, None]
    if LAYOUT == AFFINE4:
        s = _load(pairs + (UNITS * 16 + unit * 4 + _upto(4)), is_unit, MASKED)
    elif LAYOUT == CODE4:
        s = _load(halves + (UNITS * 32 + unit * 4 + _upto(4)), is_unit, MASKED)
    elif LAYOUT == SCALED8:
        s = _load(halves + (UNITS * 32 + unit * 2 + _upto(2)), is_unit, MASKED)
    else:
        tl.static_assert(LAYOUT == SCALED6)
        s = _load(halves + (UNITS * 96 + unit * 16 + _upto(16)), is_unit, MASKED)
    return s


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
def _upto(COUNT: tl.constexpr):
    return tl.arange(0, COUNT)[None, None, :]


@triton.jit
def _permuted(t, magic, asm: tl.constexpr):
    return tl.inline_asm_elementwise(
        asm, "=r,r,r", [t, magic], dtype=tl.float32, is_pure=True, pack=1
    )


@triton.jit
def _byte(t, i: tl.constexpr, magic, WIDE: tl.constexpr):
    """Return byte `i`, fp32: 1 + its lower 7 bits / 128 where bit 7 is set; with WIDE 2**23 + byte.

    `magic` is the exponent of that. It must not be known when the kernel is compiled: the assembler
    would put it into the instruction, and load which byte it is into a register each time.
    """
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
    """Return the lower 4 bits of each byte, with bit 7 set."""
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


@triton.jit
def _product(words, x, place: tl.constexpr, zero, dtype: tl.constexpr, WIDE: tl.constexpr):
    """Return bytes `place` and `place + 2` of `quarters` times neighbours of `x`: [rows, runs]."""
    ROWS: tl.constexpr = words[0].shape[0]
    x = quarters(tl.broadcast_to(x[None, :], [ROWS, x.shape[0]]))
    magic = zero + (0x4B000000 if WIDE else 0x3F000000)
    # less 2**23, and 128 as the signs' bits were turned; exact
    less: tl.constexpr = 8388736.0 if WIDE else 0.0
    # One chain, so that each step is one operation.
    total = (_byte(words[0], place, magic, WIDE) - less) * number(x[0], 0, dtype)
    total += (_byte(words[0], place + 2, magic, WIDE) - less) * number(x[0], 1, dtype)
    for i in tl.static_range(1, 4):
        total += (_byte(words[i], place, magic, WIDE) - less) * number(x[i], 0, dtype)
        total += (_byte(words[i], place + 2, magic, WIDE) - less) * number(x[i], 1, dtype)
    return total


@triton.jit
def _sum(x, RUNS: tl.constexpr, dtype: tl.constexpr):
    """Return the sums of `x` over so many runs: [1, units * 4 / RUNS]."""
    both = number(x, 0, dtype) + number(x, 1, dtype)
    return tl.sum(tl.reshape(both, [1, x.shape[0] // (4 * RUNS), 4 * RUNS]), axis=2)


@triton.jit
def _pair(word):
    """Return the scale and shift, fp16 in one word, as fp32."""
    scale = (word & 0xFFFF).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return scale, (word >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _each(scales, RUNS: tl.constexpr):
    """Return [rows, any] for each of so many runs: [rows, any * RUNS]."""
    ROWS: tl.constexpr = scales.shape[0]
    COUNT: tl.constexpr = scales.shape[1]
    return tl.reshape(
        tl.broadcast_to(scales[:, :, None], [ROWS, COUNT, RUNS]), [ROWS, COUNT * RUNS]
    )


@triton.jit
def times_row(a, b, h, s, x, zero, dtype: tl.constexpr, LAYOUT: tl.constexpr):
    """Return [rows] fp32: what `hold_packed` gave, times the row that `load_row` gave.

    Args:
        a: from `hold_packed`, as `b`, `h` and `s` are.
        b: see `a`.
        h: see `a`.
        s: see `a`.
        x: from `load_row`.
        zero: 0, which the compiler does not know.
        dtype: of the activations.
        LAYOUT: the value of a `PackedLayout`.
    """
    if LAYOUT == SCALED6:
        result = _times_six_bits(a, b, h, s, x, zero, dtype)
    elif LAYOUT == SCALED8:
        words = quarters(a ^ -0x7F7F7F80)
        f0, f1 = tl.split(s.to(tl.float32))
        total = _product(words, x[0], 0, zero, dtype, True) * _each(f0, 4)
        total += _product(words, x[1], 1, zero, dtype, True) * _each(f1, 4)
        result = tl.sum(total, axis=1)
    else:
        result = _times_four_bits(a, s, x, zero, dtype, LAYOUT)
    return result


@triton.jit
def _times_four_bits(a, s, x, zero, dtype: tl.constexpr, LAYOUT: tl.constexpr):
    ROWS: tl.constexpr = s.shape[0]
    UNITS: tl.constexpr = s.shape[1]
    # By part: the second and the fourth are in the upper bits of bytes.
    low, high = quarters(_nibbles(a)), quarters(_nibbles(a >> 4))
    even, odd = tl.split(tl.reshape(s, [ROWS, UNITS, 2, 2]))
    s0, s2 = tl.split(even)
    s1, s3 = tl.split(odd)
    if LAYOUT == AFFINE4:
        f0, g0 = _pair(s0)
        f1, g1 = _pair(s1)
        f2, g2 = _pair(s2)
        f3, g3 = _pair(s3)
    else:
        f0, f1, f2, f3 = s0.to(tl.float32), s1.to(tl.float32), s2.to(tl.float32), s3.to(tl.float32)
        g0, g1, g2, g3 = -8 * f0, -8 * f1, -8 * f2, -8 * f3
    f0, f1, f2, f3 = 128 * f0, 128 * f1, 128 * f2, 128 * f3
    total = _product(low, x[0], 0, zero, dtype, False) * _each(f0, 4)
    total += _product(high, x[1], 0, zero, dtype, False) * _each(f1, 4)
    total += _product(low, x[2], 1, zero, dtype, False) * _each(f2, 4)
    total += _product(high, x[3], 1, zero, dtype, False) * _each(f3, 4)
    rest = (g0 - f0) * _sum(x[0], 4, dtype) + (g1 - f1) * _sum(x[1], 4, dtype)
    rest += (g2 - f2) * _sum(x[2], 4, dtype) + (g3 - f3) * _sum(x[3], 4, dtype)
    return tl.sum(total, axis=1) + tl.sum(rest, axis=1)


@triton.jit
def _times_six_bits(a, b, h, s, x, zero, dtype: tl.constexpr):
    ROWS: tl.constexpr = s.shape[0]
    UNITS: tl.constexpr = s.shape[1]
    # [rows, units, half of a part, the bits of its number from the highest]
    scales = tl.permute(tl.reshape(s, [ROWS, UNITS, 2, 2, 2, 2]), (0, 1, 5, 2, 3, 4))
    even, odd = tl.split(scales.to(tl.float32))
    e0, e1 = tl.split(even)
    o0, o1 = tl.split(odd)
    f0, f4 = tl.split(e0)
    f2, f6 = tl.split(e1)
    f1, f5 = tl.split(o0)
    f3, f7 = tl.split(o1)
    low = quarters(_nibbles(a) | ((h << 4) & 0x30303030))
    high = quarters(_nibbles(a >> 4) | ((h << 2) & 0x30303030))
    total, rest = _six_bit_part(low, x[0], 0, f0, zero, dtype)
    total, rest = _add(total, rest, _six_bit_part(high, x[1], 0, f1, zero, dtype))
    total, rest = _add(total, rest, _six_bit_part(low, x[2], 1, f2, zero, dtype))
    total, rest = _add(total, rest, _six_bit_part(high, x[3], 1, f3, zero, dtype))
    low = quarters(_nibbles(b) | (h & 0x30303030))
    high = quarters(_nibbles(b >> 4) | ((h >> 2) & 0x30303030))
    total, rest = _add(total, rest, _six_bit_part(low, x[4], 0, f4, zero, dtype))
    total, rest = _add(total, rest, _six_bit_part(high, x[5], 0, f5, zero, dtype))
    total, rest = _add(total, rest, _six_bit_part(low, x[6], 1, f6, zero, dtype))
    total, rest = _add(total, rest, _six_bit_part(high, x[7], 1, f7, zero, dtype))
    return 128 * tl.sum(total, axis=1) - 160 * tl.sum(rest, axis=1)


@triton.jit
def _add(total, rest, more):
    return total + more[0], rest + more[1]


@triton.jit
def _six_bit_part(words, x, place: tl.constexpr, scales, zero, dtype: tl.constexpr):
    """Return scaled sums over a part's runs of 8 columns, and of `x` alone over its halves."""
    ROWS: tl.constexpr = scales.shape[0]
    UNITS: tl.constexpr = scales.shape[1]
    scales = tl.reshape(scales, [ROWS, 2 * UNITS])
    total = _product(words, x, place, zero, dtype, False) * _each(scales, 2)
    return total, scales * _sum(x, 2, dtype)
