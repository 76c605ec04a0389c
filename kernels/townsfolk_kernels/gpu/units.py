"""Packed rows in kernels: some columns of several rows as tiles of numbers.

A *unit* is a run of columns of a row (`unit_columns`), a *part* 32 neighbouring columns of it.
`load_unit` loads what a unit takes of each plane (see `quantized.packing`), and `part_operand` and
`part_values` make of it the numbers of one part.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

from townsfolk_kernels.quantized.packing import PackedLayout, packed_columns, units_of

AFFINE4 = tl.constexpr(PackedLayout.AFFINE4.value)
AFFINE5 = tl.constexpr(PackedLayout.AFFINE5.value)
CODE4 = tl.constexpr(PackedLayout.CODE4.value)
SCALED6 = tl.constexpr(PackedLayout.SCALED6.value)
SCALED8 = tl.constexpr(PackedLayout.SCALED8.value)
AFFINE2 = tl.constexpr(PackedLayout.AFFINE2.value)
SCALED3 = tl.constexpr(PackedLayout.SCALED3.value)

# The interpreter knows no assembler.
USES_ASSEMBLER = tl.constexpr(os.environ.get("TRITON_INTERPRET") != "1")


def unit_columns(layout: PackedLayout) -> int:
    """Return the columns of a unit."""
    return {PackedLayout.SCALED6: 256, PackedLayout.SCALED8: 64}.get(layout, 128)


def kernel_units(layout: PackedLayout, columns: int) -> int:
    """Return the units of a row of so many columns; of those in `packing` some are two here."""
    return units_of(layout, columns) * packed_columns(layout) // unit_columns(layout)


@triton.jit
def _load(at, mask, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(at, mask=mask, other=0)
    else:
        return tl.load(at)


@triton.jit
def _load_two(at, mask, MASKED: tl.constexpr):
    """Neighbouring words of rows, by one instruction.

    Each lane that asks for a word of another row takes a turn of the cache, so neighbours ask for
    those of one row.
    """
    return tl.split(_load(at[:, None] + tl.arange(0, 2)[None, :], mask, MASKED))


@triton.jit
def load_unit(row, unit, inside, UNITS: tl.constexpr, LAYOUT: tl.constexpr, MASKED: tl.constexpr):
    """Load what unit `unit` of some rows takes of each plane, for the functions below.

    Args:
        row: [rows], pointers to uint8: where rows begin.
        unit: which one.
        inside: whether there is such a unit; without it all is 0.
        UNITS: of a row.
        LAYOUT: the value of a `PackedLayout`.
        MASKED: whether `inside` may be false.

    Returns:
        Three tiles of integers [rows, 32], and four words of scales [rows], where there are so
        many.
    """
    k = tl.arange(0, 32)
    bytes_at = row[:, None] + k[None, :]
    words_at = row.to(tl.pointer_type(tl.int16))[:, None] + k[None, :]
    long = row.to(tl.pointer_type(tl.int64))
    if LAYOUT == AFFINE4:
        a = _load(words_at + unit * 32, inside, MASKED)
        b = a
        c = a
        p, q = _load_two(long + (UNITS * 8 + unit * 2), inside, MASKED)
        r = p
        s = p
    elif LAYOUT == AFFINE5:
        a = _load(words_at + unit * 32, inside, MASKED)
        b = _load(row[:, None] + (UNITS * 64 + unit * 16 + k % 16)[None, :], inside, MASKED)
        c = a
        p, q = _load_two(long + (UNITS * 10 + unit * 2), inside, MASKED)
        r = p
        s = p
    elif LAYOUT == CODE4:
        a = _load(words_at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(long + (UNITS * 8 + unit), inside, MASKED)
        q = p
        r = p
        s = p
    elif LAYOUT == SCALED8:
        a = _load(words_at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(row.to(tl.pointer_type(tl.int32)) + (UNITS * 16 + unit), inside, MASKED)
        q = p
        r = p
        s = p
    elif LAYOUT == SCALED6:
        a = _load(words_at + unit * 64, inside, MASKED)
        b = _load(words_at + (unit * 64 + 32), inside, MASKED)
        c = _load(words_at + (UNITS * 64 + unit * 32), inside, MASKED)
        words = (long + (UNITS * 24 + unit * 4))[:, None] + tl.arange(0, 4)[None, :]
        scales = tl.reshape(_load(words, inside, MASKED), [row.shape[0], 2, 2])
        even, odd = tl.split(scales)
        p, r = tl.split(even)
        q, s = tl.split(odd)
    elif LAYOUT == AFFINE2:
        a = _load(bytes_at + unit * 32, inside, MASKED)
        b = a
        c = a
        p = _load(long + (UNITS * 4 + unit), inside, MASKED)
        q = _load(row.to(tl.pointer_type(tl.int32)) + (UNITS * 10 + unit // 2), inside, MASKED)
        r = p
        s = p
    else:
        a = _load(bytes_at + unit * 32, inside, MASKED)
        b = _load(bytes_at + (UNITS * 32 + unit // 2 * 32), inside, MASKED)
        b = b >> (unit % 2 * 4).to(tl.uint8)
        c = a
        p = _load(long + (UNITS * 6 + unit), inside, MASKED)
        q = _load(row.to(tl.pointer_type(tl.int16)) + (UNITS * 28 + unit // 2), inside, MASKED)
        q = q.to(tl.int32) & 0xFFFF
        r = p
        s = p
    return a, b, c, p, q, r, s


@triton.jit
def _half(word, i: tl.constexpr, dtype: tl.constexpr):
    """Return the i-th 16 bits of a word as a float of `dtype`, in fp32."""
    return (word >> (16 * i)).to(tl.int16).to(dtype, bitcast=True).to(tl.float32)


@triton.jit
def _signed_byte(word, i: tl.constexpr):
    return (word >> (8 * i)).to(tl.int8).to(tl.float32)


@triton.jit
def _float(integers):
    """Return integers of up to 7 bits, in int16, as fp32: 128 more than they are."""
    return (integers | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True).to(tl.float32)


@triton.jit
def _by_half(first, second, table):
    """Return [rows, 32]: `first` [rows] for the first 16 columns, `second` for the others.

    Which is which is loaded, from `packed_table`: a condition on the column itself would keep the
    compiler from loading words as tensor cores take them.
    """
    ROWS: tl.constexpr = first.shape[0]
    is_second = tl.load(table + tl.arange(0, 32))[None, :]
    if USES_ASSEMBLER and first.dtype == tl.bfloat16:
        return tl.inline_asm_elementwise(
            "lop3.b32 $0, $1, $2, $3, 0xca;",
            "=r,r,r,r",
            [
                tl.broadcast_to(is_second, [ROWS, 32]),
                tl.broadcast_to(second[:, None], [ROWS, 32]),
                tl.broadcast_to(first[:, None], [ROWS, 32]),
            ],
            dtype=tl.bfloat16,
            is_pure=True,
            pack=2,
        )
    else:
        return tl.where(is_second != 0, second[:, None], first[:, None])


@triton.constexpr_function
def _moved(register, source, right):
    """Return assembler that shifts to the right, or to the left where that is below 0."""
    if right >= 0:
        return f"shr.u32 {register}, {source}, {right};"
    return f"shl.b32 {register}, {source}, {-right};"


@triton.constexpr_function
def _masked_asm(right, mask):
    """Return assembler for bits of two 16-bit words, as bf16: 128 more than they are."""
    move = _moved("t", "$1", right)
    return f"{{ .reg .b32 t; {move} lop3.b32 $0, t, {mask}, 0x43004300, 0xea; }}"


@triton.constexpr_function
def _six_bits_asm(low, high):
    """Return assembler for 4 bits of one word and 2 of another; shifts to the right."""
    both = _moved("t", "$1", low) + _moved("u", "$2", high)
    return (
        f"{{ .reg .b32 t, u; {both} lop3.b32 t, t, 0x000f000f, 0x43004300, 0xea; "
        "lop3.b32 $0, u, 0x00300030, t, 0xea; }"
    )


@triton.constexpr_function
def _upper_place(i):
    """Return the lowest of the upper bits of part `i` of SCALED6, in their word."""
    return 8 * (i // 2 % 2) + 2 * (i % 2 + 2 * (i // 4))


@triton.jit
def _four_bits(words, i: tl.constexpr):
    """Return the i-th 4 bits of 16-bit words as bf16: 128 more than they are."""
    if USES_ASSEMBLER:
        return tl.inline_asm_elementwise(
            _masked_asm(4 * i, "0x000f000f"), "=r,r", [words], tl.bfloat16, is_pure=True, pack=2
        )
    else:
        integers = (words >> (4 * i)) & 15
        return (integers | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit
def _six_bits(low, high, i: tl.constexpr):
    """Return part `i` of SCALED6 as bf16: 128 more than the integers."""
    place: tl.constexpr = _upper_place(i)
    if USES_ASSEMBLER:
        return tl.inline_asm_elementwise(
            _six_bits_asm(i % 4 * 4, place - 4), "=r,r,r", [low, high], tl.bfloat16,
            is_pure=True, pack=2,
        )  # fmt: skip
    else:
        integers = ((low >> (i % 4 * 4)) & 15) | (((high >> place) & 3) << 4)
        return (integers | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit
def _signed(words, i: tl.constexpr):
    """Return the signed lower or upper byte of 16-bit words as bf16."""
    # The lower 7 bits, 128 more than they are, less 256 or 128: bit 7 is one of the exponent.
    if USES_ASSEMBLER:
        most = tl.inline_asm_elementwise(
            _masked_asm(8 * i, "0x007f007f"), "=r,r", [words], tl.bfloat16, is_pure=True, pack=2
        )
        sign = tl.inline_asm_elementwise(
            _masked_asm(8 * i, "0x00800080"), "=r,r", [words], tl.bfloat16, is_pure=True, pack=2
        )
    else:
        most = (((words >> (8 * i)) & 0x7F) | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True)
        sign = (((words >> (8 * i)) & 0x80) | 0x4300).to(tl.int16).to(tl.bfloat16, bitcast=True)
        # The interpreter cannot subtract in bf16.
        most, sign = most.to(tl.float32), sign.to(tl.float32)
    return most - sign


@triton.jit
def part_operand(
    a, b, c, p, q, r, s, i: tl.constexpr, LAYOUT: tl.constexpr, table, SCALES: tl.constexpr,
    dtype: tl.constexpr,
):  # fmt: skip
    """Return the numbers of part `i` in `dtype`, for tensor cores; see `part_values`.

    In bf16 two of them at a time are computed as such, of scales rounded to it.
    """
    if dtype == tl.bfloat16 and LAYOUT == AFFINE4:
        word = p if i < 2 else q
        f, g = _half(word, i % 2 * 2, tl.float16), _half(word, i % 2 * 2 + 1, tl.float16)
        return (_four_bits(a, i) - 128) * f.to(dtype)[:, None] + g.to(dtype)[:, None]
    elif dtype == tl.bfloat16 and LAYOUT == SCALED8:
        return _signed(a, i) * _half(p, i, tl.float16).to(dtype)[:, None]
    elif dtype == tl.bfloat16 and LAYOUT == SCALED6:
        word = (p if i < 2 else q) if i < 4 else (r if i < 6 else s)
        first = _half(word, i % 2 * 2, tl.float16).to(dtype)
        second = _half(word, i % 2 * 2 + 1, tl.float16).to(dtype)
        integers = _six_bits(a if i < 4 else b, c, i) - 160
        return integers * _by_half(first, second, table)
    else:
        return part_values(a, b, c, p, q, r, s, i, LAYOUT, table, SCALES).to(dtype)


@triton.jit
def part_values(
    a, b, c, p, q, r, s, i: tl.constexpr, LAYOUT: tl.constexpr, table, SCALES: tl.constexpr
):  # fmt: skip
    """Return the numbers of part `i`, fp32: [rows, 32].

    Args:
        a: from `load_unit`, as the next six are.
        b: see `a`.
        c: see `a`.
        p: see `a`.
        q: see `a`.
        r: see `a`.
        s: see `a`.
        i: which part.
        LAYOUT: the value of a `PackedLayout`.
        table: from `packed_table`.
        SCALES: dtype of the scales of CODE4.
    """
    if LAYOUT == AFFINE4:
        word = p if i < 2 else q
        f, g = _half(word, i % 2 * 2, tl.float16), _half(word, i % 2 * 2 + 1, tl.float16)
        return _four_bits(a, i).to(tl.float32) * f[:, None] + (g - 128 * f)[:, None]
    elif LAYOUT == AFFINE5:
        word = p if i < 2 else q
        f, g = _half(word, i % 2 * 2, tl.float16), _half(word, i % 2 * 2 + 1, tl.float16)
        high = b.to(tl.int32) >> (tl.arange(0, 32) // 16 * 4 + i)[None, :]
        integers = ((a >> (4 * i)) & 15) | ((high & 1) << 4).to(tl.int16)
        return _float(integers) * f[:, None] + (g - 128 * f)[:, None]
    elif LAYOUT == CODE4:
        numbers = tl.load(table + ((a.to(tl.int32) >> (4 * i)) & 15))
        return numbers * _half(p, i, SCALES)[:, None]
    elif LAYOUT == SCALED8:
        return _signed(a, i).to(tl.float32) * _half(p, i, tl.float16)[:, None]
    elif LAYOUT == SCALED6:
        word = (p if i < 2 else q) if i < 4 else (r if i < 6 else s)
        first, second = _half(word, i % 2 * 2, tl.float16), _half(word, i % 2 * 2 + 1, tl.float16)
        f = _by_half(first, second, table)
        return _six_bits(a if i < 4 else b, c, i).to(tl.float32) * f - 160 * f
    elif LAYOUT == AFFINE2:
        factor, least = _half(q, 0, tl.float16), _half(q, 1, tl.float16)
        first, second = (p >> (16 * i)).to(tl.int32) & 255, (p >> (16 * i + 8)).to(tl.int32) & 255
        f = _by_half(
            factor * (first & 15).to(tl.float32), factor * (second & 15).to(tl.float32), table
        )
        g = _by_half(
            least * (first >> 4).to(tl.float32), least * (second >> 4).to(tl.float32), table
        )
        integers = (a.to(tl.int16) >> (2 * i)) & 3
        return _float(integers) * f - (128 * f + g)
    else:
        factor = _half(q, 0, tl.float16)
        f = _by_half(factor * _signed_byte(p, 2 * i), factor * _signed_byte(p, 2 * i + 1), table)
        integers = ((a.to(tl.int16) >> (2 * i)) & 3) | (((b.to(tl.int16) >> i) & 1) << 2)
        return _float(integers) * f - 132 * f
