"""Attention of sequences with one new token each, over paged keys and values.

A sequence's positions are divided into splits of a fixed length, so that one sequence keeps all
threads busy and its bits don't depend on who else is there. Each gives a partial result, with the
maximum and the sum of its softmax (Dao et al. 2023, "Flash-Decoding").
"""

from __future__ import annotations

import math

from townsfolk_kernels.compiled.compiler import compiled
from townsfolk_kernels.compiled.vectors import (
    LANES,
    add,
    exponential,
    greater,
    largest,
    load,
    load_bf16,
    load_int32,
    load_int64,
    load_scalar,
    multiply,
    multiply_add,
    prefetch,
    splat,
    store,
    store_bf16,
    store_scalar,
    total,
    turn,
)

SPLIT = 512
"""Positions of a split."""
EXTRA = LANES
"""Numbers of a partial result behind those of the head: its maximum, its sum, and padding."""


@compiled
def turn_head(source, target, head_dim, norm, eps, rotation):
    """Normalise a head where it has a norm, and rotate it.

    Args:
        source: address of [head_dim] fp32.
        target: address of as much, the result.
        head_dim: a multiple of 16.
        norm: address of the norm's weights, fp32; 0 for no norm.
        eps: of the norm.
        rotation: address of [head_dim / 2, 2] fp32, cosines and sines.
    """
    scale = 1.0
    if norm != 0:
        squares = splat(0.0)
        for at in range(0, 4 * head_dim, 4 * LANES):
            value = load(source + at)
            squares = multiply_add(value, value, squares)
        scale = 1.0 / math.sqrt(total(squares) / head_dim + eps)
    for at in range(0, 4 * head_dim, 4 * LANES):
        numbers = load(source + at)
        if norm != 0:
            numbers = multiply(multiply(numbers, splat(scale)), load(norm + at))
        store(target + at, turn(numbers, load(rotation + at)))


def _over_pages(load_numbers, store_numbers, size):
    """Compute attention over pages of numbers of `size` bytes."""

    @compiled
    def attend(step, phase, item, scratch):
        kv_heads, head_dim, block_size = phase.kv_heads, phase.head_dim, step.block_size
        group = phase.heads // kv_heads
        split, kv_head = item // kv_heads, item % kv_heads
        sequence = load_int64(step.split_sequences + 8 * split)
        position = load_int64(step.positions + 8 * sequence)
        table = step.tables + 4 * step.table_stride * sequence
        seen = 0
        if phase.window > 0:
            seen = max(0, position + 1 - phase.window)
        begin = SPLIT * load_int64(step.split_numbers + 8 * split)
        end = min(begin + SPLIT, position + 1)
        begin = max(begin, seen)

        head_bytes = 4 * head_dim
        rotation = phase.rotation + head_bytes * sequence
        projected = step.qkv + head_bytes * (phase.heads + 2 * kv_heads) * sequence
        queries = scratch
        scores = queries + head_bytes * group
        partial = step.partials + (head_bytes + 4 * EXTRA) * (phase.heads * split + kv_head * group)
        for head in range(group):
            turn_head(
                projected + head_bytes * (kv_head * group + head),
                queries + head_bytes * head,
                head_dim,
                phase.q_norm,
                phase.eps,
                rotation,
            )
            own = partial + (head_bytes + 4 * EXTRA) * head
            for at in range(0, head_bytes, 4 * LANES):
                store(own + at, splat(0.0))
            store_scalar(own + head_bytes, -math.inf)
            store_scalar(own + head_bytes + 4, 0.0)
        if begin <= position < end:
            page = load_int32(table + 4 * (position // block_size))
            at = (page * kv_heads + kv_head) * block_size + position % block_size
            key = scores  # not needed yet
            turn_head(
                projected + head_bytes * (phase.heads + kv_head),
                key,
                head_dim,
                phase.k_norm,
                phase.eps,
                rotation,
            )
            value = projected + head_bytes * (phase.heads + kv_heads + kv_head)
            for number in range(0, head_dim, LANES):
                where = size * (at * head_dim + number)
                store_numbers(phase.k_pages + where, load(key + 4 * number))
                store_numbers(phase.v_pages + where, load(value + 4 * number))
            if position % block_size == 0:
                # Other paths read whole pages of values: what is not written yet must be finite.
                for number in range(head_dim, block_size * head_dim, LANES):
                    store_numbers(phase.v_pages + size * (at * head_dim + number), splat(0.0))

        first = begin
        while first < end:
            page = load_int32(table + 4 * (first // block_size))
            offset = first % block_size
            count = min(block_size - offset, end - first)
            at = ((page * kv_heads + kv_head) * block_size + offset) * head_dim * size
            keys, values = phase.k_pages + at, phase.v_pages + at
            if first + count < end:
                page = load_int32(table + 4 * ((first + count) // block_size))
                at = (page * kv_heads + kv_head) * block_size * head_dim * size
                for line in range(at, at + block_size * head_dim * size, 64):
                    prefetch(phase.k_pages + line)
                    prefetch(phase.v_pages + line)
            for head in range(group):
                own = partial + (head_bytes + 4 * EXTRA) * head
                score(queries + head_bytes * head, keys, head_dim, count, phase.scale, scores)
                before = load_scalar(own + head_bytes)
                highest, summed = soften(scores, count, before)
                kept = math.exp(before - highest)
                store_scalar(own + head_bytes, highest)
                store_scalar(
                    own + head_bytes + 4, load_scalar(own + head_bytes + 4) * kept + summed
                )
                weigh(scores, values, head_dim, count, kept, own)
            first += count

    @compiled
    def score(query, keys, head_dim, count, scale, scores):
        for number in range(count):
            key = keys + number * head_dim * size
            product = splat(0.0)
            for at in range(0, head_dim, LANES):
                product = multiply_add(load(query + 4 * at), load_numbers(key + size * at), product)
            store_scalar(scores + 4 * number, total(product) * scale)
        for number in range(count, (count + LANES - 1) // LANES * LANES):
            store_scalar(scores + 4 * number, -math.inf)

    @compiled
    def soften(scores, count, before):
        top = splat(before)
        for at in range(0, 4 * count, 4 * LANES):
            top = greater(load(scores + at), top)
        highest = largest(top)
        summed = splat(0.0)
        for at in range(0, 4 * count, 4 * LANES):
            weight = exponential(add(load(scores + at), splat(-highest)))
            summed = add(summed, weight)
            store(scores + at, weight)
        return highest, total(summed)

    @compiled
    def weigh(weights, values, head_dim, count, kept, target):
        for at in range(0, head_dim, LANES):
            even = multiply(load(target + 4 * at), splat(kept))
            odd = splat(0.0)
            value = values + size * at
            for number in range(0, count - 1, 2):
                weight = splat(load_scalar(weights + 4 * number))
                even = multiply_add(weight, load_numbers(value), even)
                weight = splat(load_scalar(weights + 4 * number + 4))
                odd = multiply_add(weight, load_numbers(value + size * head_dim), odd)
                value += 2 * size * head_dim
            if count % 2:
                weight = splat(load_scalar(weights + 4 * (count - 1)))
                even = multiply_add(weight, load_numbers(value), even)
            store(target + 4 * at, add(even, odd))

    return attend


attend_bf16 = _over_pages(load_bf16, store_bf16, 2)
attend_fp32 = _over_pages(load, store, 4)


@compiled
def combine(step, phase, sequence, out):
    """Put the splits of a sequence together: [heads * head_dim] fp32 at `out`."""
    head_bytes = 4 * phase.head_dim
    stride = head_bytes + 4 * EXTRA
    first = load_int64(step.split_starts + 8 * sequence)
    end = load_int64(step.split_starts + 8 * sequence + 8)
    for head in range(phase.heads):
        highest = -math.inf
        for split in range(first, end):
            own = step.partials + stride * (phase.heads * split + head)
            highest = max(highest, load_scalar(own + head_bytes))
        for at in range(0, head_bytes, 4 * LANES):
            store(out + at, splat(0.0))
        summed = 0.0
        for split in range(first, end):
            own = step.partials + stride * (phase.heads * split + head)
            share = math.exp(load_scalar(own + head_bytes) - highest)
            summed += share * load_scalar(own + head_bytes + 4)
            for at in range(0, head_bytes, 4 * LANES):
                store(out + at, multiply_add(load(own + at), splat(share), load(out + at)))
        for at in range(0, head_bytes, 4 * LANES):
            store(out + at, multiply(load(out + at), splat(1.0 / summed)))
        out += head_bytes
