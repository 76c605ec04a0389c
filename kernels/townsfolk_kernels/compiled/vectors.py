"""Vectors of 16 numbers as values of compiled functions.

Numba's own vectoriser chooses how a sum is split, and so its bits; here the code says it. LLVM
cuts the vectors to what the processor has: one register with AVX-512, two with AVX2, four with
Neon. Addresses are int64 and need no alignment.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from townsfolk_kernels.compiled.compiler import compiled
from townsfolk_kernels.compiled.intrinsics import IS_X86, Build, call, operation, pointer
from townsfolk_kernels.compiled.levels import has_feature

LANES = 16

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(_I32, LANES)
_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)


class _Vector(types.Type):
    """The type of a vector in compiled code."""

    def __init__(self, name: str, of: ir.Type) -> None:
        super().__init__(name=name)
        self.of = of


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Vector) -> None:
        super().__init__(manager, kind, kind.of)


floats = _Vector("float32x16", _FLOATS)
ints = _Vector("int32x16", _INTS)
packed = _Vector("uint8x64", _BYTES)
"""16 lanes of four bytes each."""


HAS_VNNI = IS_X86 and has_feature("avx512vnni")
HAS_AVX2 = IS_X86 and has_feature("avx2")


def _load(builder: ir.IRBuilder, address: ir.Value, of: ir.Type) -> ir.Value:
    return builder.load(pointer(builder, address, of), align=1)


def _splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    whole = ir.VectorType(value.type, lanes)
    one = builder.insert_element(ir.Constant(whole, ir.Undefined), value, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    return builder.shuffle_vector(one, ir.Constant(whole, ir.Undefined), zeros)


@operation(floats, types.int64)
def load(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return 16 fp32 numbers."""
    return _load(builder, address, _FLOATS)


@operation(floats, types.int64)
def load_bf16(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return 16 bf16 numbers as fp32."""
    bits = builder.zext(_load(builder, address, ir.VectorType(_I16, LANES)), _INTS)
    return builder.bitcast(builder.shl(bits, ir.Constant(_INTS, [16] * LANES)), _FLOATS)


@operation(floats, types.int64)
def load_fp16(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return 16 fp16 numbers as fp32."""
    half = _load(builder, address, ir.VectorType(ir.HalfType(), LANES))
    return builder.fpext(half, _FLOATS)


@operation(ints)
def no_ints(builder: ir.IRBuilder) -> ir.Value:
    """Return 16 zeros."""
    return ir.Constant(_INTS, [0] * LANES)


@operation(ints, types.int64)
def splat_int32(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return the same int32 number, from memory, 16 times."""
    return _splat(builder, _load(builder, address, _I32), LANES)


@operation(types.void, types.int64, types.int32)
def store_int32(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Store one int32 number."""
    builder.store(value, pointer(builder, address, _I32), align=1)


@operation(ints, ints, ints)
def add_ints(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return the sums."""
    return builder.add(left, right)


@operation(floats, ints)
def to_floats(builder: ir.IRBuilder, values: ir.Value) -> ir.Value:
    """Return whole numbers as fp32."""
    return builder.sitofp(values, _FLOATS)


@operation(packed, types.int64)
def load_bytes(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return 64 bytes."""
    return _load(builder, address, _BYTES)


@operation(packed, types.int64)
def repeat_bytes(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return the same four bytes in each lane."""
    return builder.bitcast(_splat(builder, _load(builder, address, _I32), LANES), _BYTES)


@operation(packed, packed, types.int64, types.int64)
def bits(builder: ir.IRBuilder, values: ir.Value, shift: ir.Value, mask: ir.Value) -> ir.Value:
    """Return `values >> shift & mask` of each byte."""
    byte = _BYTES.element
    shifts = _splat(builder, builder.trunc(shift, byte), 4 * LANES)
    masks = _splat(builder, builder.trunc(mask, byte), 4 * LANES)
    return builder.and_(builder.lshr(values, shifts), masks)


@operation(packed, packed, packed, types.int64)
def put_above(
    builder: ir.IRBuilder, values: ir.Value, above: ir.Value, shift: ir.Value
) -> ir.Value:
    """Return `values | above << shift` of each byte."""
    shifts = _splat(builder, builder.trunc(shift, _BYTES.element), 4 * LANES)
    return builder.or_(values, builder.shl(above, shifts))


@operation(ints, ints, packed, packed)
def dot(builder: ir.IRBuilder, sums: ir.Value, left: ir.Value, right: ir.Value) -> ir.Value:
    """Add to each lane the products of its four bytes: unsigned ones on the left, signed right."""
    if HAS_VNNI:
        bytes_or_ints = _BYTES if llvm.llvm_version_info[0] >= 22 else _INTS
        operands = [builder.bitcast(value, bytes_or_ints) for value in (left, right)]
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", _INTS, sums, *operands)
    if HAS_AVX2:
        return builder.add(sums, _dot_avx2(builder, left, right))
    for number in range(4):
        places = ir.Constant(_INTS, [4 * lane + number for lane in range(LANES)])
        rest = ir.Constant(_BYTES, ir.Undefined)
        unsigned = builder.zext(builder.shuffle_vector(left, rest, places), _INTS)
        signed = builder.sext(builder.shuffle_vector(right, rest, places), _INTS)
        sums = builder.add(sums, builder.mul(unsigned, signed))
    return sums


def _dot_avx2(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Sum the products of four bytes; of 7 bits and 1, as a pair's sum must fit 16 bits."""
    half, sums = ir.VectorType(_BYTES.element, 32), []
    words, ints_ = ir.VectorType(_I16, 16), ir.VectorType(_I32, 8)
    for first in (0, 32):
        places = ir.Constant(ir.VectorType(_I32, 32), list(range(first, first + 32)))
        rest = ir.Constant(_BYTES, ir.Undefined)
        unsigned = builder.shuffle_vector(left, rest, places)
        signed = builder.shuffle_vector(right, rest, places)
        parts = []
        for mask in (0x7F, 0x80):
            part = builder.and_(unsigned, ir.Constant(half, [mask] * 32))
            pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", words, part, signed)
            ones = ir.Constant(words, [1] * 16)
            parts.append(call(builder, "llvm.x86.avx2.pmadd.wd", ints_, pairs, ones))
        sums.append(builder.add(*parts))
    return builder.shuffle_vector(*sums, ir.Constant(_INTS, list(range(LANES))))


@operation(types.void, types.int64, floats)
def store_int8(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Store 16 whole numbers as int8."""
    short = ir.VectorType(_BYTES.element, LANES)
    whole = builder.trunc(builder.fptosi(vector, _INTS), short)
    builder.store(whole, pointer(builder, address, short), align=1)


@operation(types.void, types.int64, floats)
def store(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Store 16 fp32 numbers."""
    builder.store(vector, pointer(builder, address, _FLOATS), align=1)


@operation(types.void, types.int64, floats)
def store_bf16(builder: ir.IRBuilder, address: ir.Value, vector: ir.Value) -> None:
    """Store 16 numbers as bf16, rounded to the nearest, ties to even."""

    def constant(value: int) -> ir.Constant:
        return ir.Constant(_INTS, [value] * LANES)

    bits = builder.bitcast(vector, _INTS)
    odd = builder.and_(builder.lshr(bits, constant(16)), constant(1))
    rounded = builder.add(builder.add(bits, constant(0x7FFF)), odd)
    is_nan = builder.fcmp_unordered("uno", vector, vector)
    rounded = builder.select(is_nan, constant(0x7FC00000), rounded)
    short = builder.trunc(builder.lshr(rounded, constant(16)), ir.VectorType(_I16, LANES))
    builder.store(short, pointer(builder, address, short.type), align=1)


@operation(types.void, types.int64, types.int64, types.int64, types.int64)
def transpose(
    builder: ir.IRBuilder,
    source: ir.Value,
    source_stride: ir.Value,
    target: ir.Value,
    target_stride: ir.Value,
) -> None:
    """Store the transpose of 16 rows of 16 fp32 numbers; strides are bytes from row to row."""
    rows = []
    for number in range(LANES):
        own = builder.add(source, builder.mul(source_stride, _I64(number)))
        rows.append(_load(builder, own, _FLOATS))
    distance = LANES // 2
    while distance:
        for first in range(LANES):
            if first & distance:
                continue
            upper, lower = rows[first], rows[first + distance]
            for second in (0, 1):
                # Blocks of `distance` lanes, in turns from the one and the other.
                lanes = [
                    (lane & ~distance) + second * distance + (LANES if lane & distance else 0)
                    for lane in range(LANES)
                ]
                mask = ir.Constant(_INTS, lanes)
                rows[first + second * distance] = builder.shuffle_vector(upper, lower, mask)
        distance //= 2
    for number, row in enumerate(rows):
        own = builder.add(target, builder.mul(target_stride, _I64(number)))
        builder.store(row, pointer(builder, own, _FLOATS), align=1)


@operation(types.void, types.int64)
def prefetch(builder: ir.IRBuilder, address: ir.Value) -> None:
    """Have a line of 64 bytes brought into the cache; any address will do."""
    place = pointer(builder, address, ir.IntType(8))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), place, _I32(0), _I32(2), _I32(1))


@operation(types.float32, types.int64)
def load_scalar(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return one fp32 number."""
    return _load(builder, address, _FLOAT)


@operation(types.float32, types.int64)
def load_half(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return one fp16 number as fp32."""
    return builder.fpext(_load(builder, address, ir.HalfType()), _FLOAT)


@operation(types.int64, types.int64)
def load_uint8(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return one byte."""
    return builder.zext(_load(builder, address, _BYTES.element), _I64)


@operation(types.void, types.int64, types.float32)
def store_scalar(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    """Store one fp32 number."""
    builder.store(value, pointer(builder, address, _FLOAT), align=1)


@operation(types.int64, types.int64)
def load_int32(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return one int32 number."""
    return builder.sext(_load(builder, address, _I32), _I64)


@operation(types.int64, types.int64)
def load_int64(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    """Return one int64 number."""
    return _load(builder, address, _I64)


@operation(floats, types.float32)
def splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return the same number 16 times."""
    return _splat(builder, value, LANES)


@operation(floats, floats, floats)
def add(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return the sums."""
    return builder.fadd(left, right)


@operation(floats, floats, floats)
def multiply(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return the products."""
    return builder.fmul(left, right)


@operation(floats, floats, floats)
def divide(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return the quotients."""
    return builder.fdiv(left, right)


@operation(floats, floats, floats)
def greater(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return the greater of two numbers; the right one where the left is not a number."""
    return builder.select(builder.fcmp_ordered(">", left, right), left, right)


@operation(floats, floats, floats, floats)
def multiply_add(
    builder: ir.IRBuilder, left: ir.Value, right: ir.Value, addend: ir.Value
) -> ir.Value:
    """Return `left * right + addend`, rounded once."""
    return call(builder, "llvm.fma.v16f32", _FLOATS, left, right, addend)


@operation(floats, floats)
def absolute(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Return the magnitudes."""
    return call(builder, "llvm.fabs.v16f32", _FLOATS, vector)


def _by_halves(builder: ir.IRBuilder, vector: ir.Value, join: Build) -> ir.Value:
    """Join all lanes to one value."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        rest = ir.Constant(vector.type, ir.Undefined)
        halves = [
            builder.shuffle_vector(
                vector,
                rest,
                ir.Constant(ir.VectorType(_I32, lanes), [first + n for n in range(lanes)]),
            )
            for first in (0, lanes)
        ]
        vector = join(*halves)
    return builder.extract_element(vector, _I32(0))


@operation(types.float32, floats)
def total(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Return the sum of all lanes, by halves."""
    return _by_halves(builder, vector, builder.fadd)


@operation(types.float32, floats)
def largest(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Return the greatest of all lanes, which are numbers."""
    # LLVM's own reduction goes through lanes one by one, as it looks for what is not a number.
    return _by_halves(
        builder,
        vector,
        lambda left, right: builder.select(builder.fcmp_ordered(">", left, right), left, right),
    )


@operation(floats, floats, floats)
def turn(builder: ir.IRBuilder, pairs: ir.Value, angles: ir.Value) -> ir.Value:
    """Rotate 8 pairs of neighbours by 8 angles, given as cosines and sines in turn."""

    def shuffled(left: ir.Value, right: ir.Value, lanes: list[int]) -> ir.Value:
        return builder.shuffle_vector(left, right, ir.Constant(_INTS, lanes))

    numbers = range(LANES)
    cosines = shuffled(angles, angles, [n & ~1 for n in numbers])
    sines = shuffled(angles, angles, [n | 1 for n in numbers])
    straight = builder.fmul(pairs, cosines)
    crossed = builder.fmul(shuffled(pairs, pairs, [n ^ 1 for n in numbers]), sines)
    less, more = builder.fsub(straight, crossed), builder.fadd(straight, crossed)
    return shuffled(less, more, [n + LANES * (n & 1) for n in numbers])


@operation(floats, floats)
def nearest(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Return the nearest whole numbers."""
    return call(builder, "llvm.rint.v16f32", _FLOATS, vector)


@operation(floats, floats)
def _power_of_two(builder: ir.IRBuilder, exponents: ir.Value) -> ir.Value:
    bits = builder.add(builder.fptosi(exponents, _INTS), ir.Constant(_INTS, [127] * LANES))
    return builder.bitcast(builder.shl(bits, ir.Constant(_INTS, [23] * LANES)), _FLOATS)


@compiled
def exponential(x):
    """Return `e ** x` of 16 numbers up to 88, to 2 units in the last place; about 0 below -87."""
    x = greater(x, splat(-87.0))
    power = nearest(multiply(x, splat(1.4426950408889634)))
    rest = multiply_add(power, splat(-0.693145751953125), x)
    rest = multiply_add(power, splat(-1.4286068203094172e-06), rest)
    value = splat(1.0 / 720.0)
    value = multiply_add(value, rest, splat(1.0 / 120.0))
    value = multiply_add(value, rest, splat(1.0 / 24.0))
    value = multiply_add(value, rest, splat(1.0 / 6.0))
    value = multiply_add(value, rest, splat(0.5))
    value = multiply_add(value, rest, splat(1.0))
    value = multiply_add(value, rest, splat(1.0))
    return multiply(value, _power_of_two(power))
