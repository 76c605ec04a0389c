"""Products with weights in blocks of small integers, 16 rows by 32 columns each.

A block holds 16 fp16 scales, a row's each (of 6 bits 32: one for each 16 columns), 16 fp16 shifts
where the format has them, and the integers q, of which a weight is `scale * q + shift`, or
`scale * (q - offset)` without shifts. Four neighbouring columns of the 16 rows are 64 bytes, a
vector; a block has eight of these, or of fewer bits than eight:

- 4 bits: four vectors; vector j holds the columns 4j.. in its lower halves, 16 + 4j.. in its upper.
- 5 bits: behind these another one; its bits j hold the fifth of columns 4j...
- 6 bits: two more; the bit pairs j of the first hold the upper bits of columns 4j.., those of the
  second of columns 16 + 4j...

The rows multiplied with are quantised, too: each 32 numbers to int8, by their largest magnitude m.
That moves a number by m / 254 at most, and so a product by the sum of m / 254 * |weight|. Integers
are then summed exactly, blocks in fp32, in one order.
"""

from __future__ import annotations

import numpy as np
from numba import types

from townsfolk_kernels.compiled.compiler import compiled
from townsfolk_kernels.compiled.vectors import (
    LANES,
    absolute,
    add_ints,
    bits,
    dot,
    greater,
    largest,
    load,
    load_bytes,
    load_fp16,
    load_scalar,
    multiply,
    multiply_add,
    nearest,
    no_ints,
    prefetch,
    put_above,
    repeat_bytes,
    splat,
    splat_int32,
    store,
    store_int8,
    store_int32,
    store_scalar,
    to_floats,
    total,
)

COLUMNS = 32
"""Of a block."""
QUANTIZED_BYTES = 48
"""Of 32 quantised numbers: scale, sums of both halves, -128 times that of integers, and int8."""
_INTEGER_SUM, _NUMBERS = 12, 16


@compiled
def quantize(x, columns, target):
    """Quantise a row [columns] fp32: `QUANTIZED_BYTES` for each 32 columns."""
    for _ in range(columns // COLUMNS):
        low, high = load(x), load(x + 4 * LANES)
        most = largest(greater(absolute(low), absolute(high)))
        inverse = splat(np.float32(127.0) / most if most > 0 else np.float32(0.0))
        scale = most / np.float32(127.0)
        low, high = nearest(multiply(low, inverse)), nearest(multiply(high, inverse))
        low_sum, high_sum = total(low), total(high)
        store_scalar(target, scale)
        store_scalar(target + 4, low_sum * scale)
        store_scalar(target + 8, high_sum * scale)
        store_int32(target + _INTEGER_SUM, -128 * types.int32(low_sum + high_sum))
        store_int8(target + _NUMBERS, low)
        store_int8(target + _NUMBERS + LANES, high)
        x += 4 * COLUMNS
        target += QUANTIZED_BYTES


@compiled
def _low_of_4(integers, number):
    return bits(load_bytes(integers + 64 * number), 0, 15)


@compiled
def _high_of_4(integers, number):
    return bits(load_bytes(integers + 64 * number), 4, 15)


@compiled
def _low_of_5(integers, number):
    fifth = bits(load_bytes(integers + 256), number, 1)
    return put_above(_low_of_4(integers, number), fifth, 4)


@compiled
def _high_of_5(integers, number):
    fifth = bits(load_bytes(integers + 256), 4 + number, 1)
    return put_above(_high_of_4(integers, number), fifth, 4)


@compiled
def _low_of_6(integers, number):
    upper = bits(load_bytes(integers + 256), 2 * number, 3)
    return put_above(_low_of_4(integers, number), upper, 4)


@compiled
def _high_of_6(integers, number):
    upper = bits(load_bytes(integers + 320), 2 * number, 3)
    return put_above(_high_of_4(integers, number), upper, 4)


@compiled
def _low_of_8(integers, number):
    return load_bytes(integers + 64 * number)


@compiled
def _high_of_8(integers, number):
    return load_bytes(integers + 64 * (4 + number))


def _product(low_of, high_of, lines, halved=False, folded=False):
    """Multiply with blocks, whose first 16 columns have scales of their own where `halved`.

    Blocks take `lines` of 64 bytes. Where `folded`, integers have no shifts, and the offset 128,
    with which sums begin.
    """

    @compiled
    def finish(result, scales, low_sums, high_sums, low_scale, high_scale, low_shift, high_shift):
        scale = splat(load_scalar(scales))
        if folded:
            return multiply_add(
                to_floats(add_ints(low_sums, high_sums)), multiply(low_scale, scale), result
            )
        low_sum, high_sum = load_scalar(scales + 4), load_scalar(scales + 8)
        if halved:
            low, high = multiply(low_scale, scale), multiply(high_scale, scale)
            result = multiply_add(to_floats(low_sums), low, result)
            result = multiply_add(to_floats(high_sums), high, result)
            result = multiply_add(low_shift, splat(low_sum), result)
            return multiply_add(high_shift, splat(high_sum), result)
        whole = to_floats(add_ints(low_sums, high_sums))
        result = multiply_add(whole, multiply(low_scale, scale), result)
        return multiply_add(low_shift, splat(low_sum + high_sum), result)

    @compiled
    def begin(x):
        if folded:
            return splat_int32(x + _INTEGER_SUM)
        return no_ints()

    @compiled
    def of_group(part, group, x, count, tile):
        blocks = part.columns // COLUMNS
        row_bytes = blocks * QUANTIZED_BYTES
        size = part.block_bytes
        base = part.address + group * blocks * size
        scale_bytes = 4 * LANES if halved else 2 * LANES
        integers_at = scale_bytes + (2 * LANES if part.shifted != 0 else 0)
        offset = splat(-part.offset)
        sequence = 0
        while sequence < count:
            at, x_1 = base, x + row_bytes * sequence
            result_1 = splat(0.0)
            out = tile + 4 * LANES * sequence
            if sequence + 4 <= count:
                result_2 = result_3 = result_4 = splat(0.0)
                x_2 = x_1 + row_bytes
                x_3 = x_2 + row_bytes
                x_4 = x_3 + row_bytes
                for _ in range(blocks):
                    if sequence == 0:  # the next 16 rows: the processor foresees too little
                        for line in range(lines):
                            prefetch(at + blocks * size + 64 * line)
                    low_1, low_2, low_3, low_4 = begin(x_1), begin(x_2), begin(x_3), begin(x_4)
                    high_1 = high_2 = high_3 = high_4 = no_ints()
                    for number in range(4):
                        low = low_of(at + integers_at, number)
                        high = high_of(at + integers_at, number)
                        where = _NUMBERS + 4 * number
                        low_1 = dot(low_1, low, repeat_bytes(x_1 + where))
                        high_1 = dot(high_1, high, repeat_bytes(x_1 + where + LANES))
                        low_2 = dot(low_2, low, repeat_bytes(x_2 + where))
                        high_2 = dot(high_2, high, repeat_bytes(x_2 + where + LANES))
                        low_3 = dot(low_3, low, repeat_bytes(x_3 + where))
                        high_3 = dot(high_3, high, repeat_bytes(x_3 + where + LANES))
                        low_4 = dot(low_4, low, repeat_bytes(x_4 + where))
                        high_4 = dot(high_4, high, repeat_bytes(x_4 + where + LANES))
                    a = load_fp16(at)
                    b = load_fp16(at + 2 * LANES) if halved else a
                    c, d = multiply(a, offset), multiply(b, offset)
                    if part.shifted != 0:
                        c = d = load_fp16(at + scale_bytes)
                    result_1 = finish(result_1, x_1, low_1, high_1, a, b, c, d)
                    result_2 = finish(result_2, x_2, low_2, high_2, a, b, c, d)
                    result_3 = finish(result_3, x_3, low_3, high_3, a, b, c, d)
                    result_4 = finish(result_4, x_4, low_4, high_4, a, b, c, d)
                    at += size
                    x_1 += QUANTIZED_BYTES
                    x_2 += QUANTIZED_BYTES
                    x_3 += QUANTIZED_BYTES
                    x_4 += QUANTIZED_BYTES
                store(out + 4 * LANES, result_2)
                store(out + 8 * LANES, result_3)
                store(out + 12 * LANES, result_4)
                sequence += 4
            else:
                for _ in range(blocks):
                    low_1, high_1 = begin(x_1), no_ints()
                    for number in range(4):
                        low = low_of(at + integers_at, number)
                        high = high_of(at + integers_at, number)
                        where = _NUMBERS + 4 * number
                        low_1 = dot(low_1, low, repeat_bytes(x_1 + where))
                        high_1 = dot(high_1, high, repeat_bytes(x_1 + where + LANES))
                    a = load_fp16(at)
                    b = load_fp16(at + 2 * LANES) if halved else a
                    c, d = multiply(a, offset), multiply(b, offset)
                    if part.shifted != 0:
                        c = d = load_fp16(at + scale_bytes)
                    result_1 = finish(result_1, x_1, low_1, high_1, a, b, c, d)
                    at += size
                    x_1 += QUANTIZED_BYTES
                sequence += 1
            store(out, result_1)

    return of_group


four_bits = _product(_low_of_4, _high_of_4, 5)
five_bits = _product(_low_of_5, _high_of_5, 6)
six_bits = _product(_low_of_6, _high_of_6, 7, halved=True)
eight_bits = _product(_low_of_8, _high_of_8, 9, folded=True)
