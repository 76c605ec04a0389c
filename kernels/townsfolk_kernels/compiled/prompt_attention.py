"""Attention of prompts, over paged keys and values.

A tile is some tokens of one prompt, with all query heads of a key head. It goes through the
positions that its tokens see, `RUN` at a time, with a softmax that is corrected as it goes (Dao et
al. 2022, "FlashAttention"). A token's numbers are summed in an order that does not depend on which
tile it is in: it has the same bits in any chunk of its prompt.
"""

from __future__ import annotations

import math

from townsfolk_kernels.compiled.attention import turn_head
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
    splat,
    store,
    store_bf16,
    store_scalar,
    total,
    transpose,
)

RUN = 32
"""Positions at a time."""
_TOGETHER = 4  # rows that are multiplied together
_STATE = 8  # bytes: the maximum and the sum of a row's softmax
_TILE_NUMBERS = 8192  # of queries: what a tile works on must stay in the cache


def tile_tokens(group: int, head_dim: int) -> int:
    """Return how many tokens of a prompt a tile has, of layers with such heads."""
    return max(1, _TILE_NUMBERS // (head_dim * group))


def tile_bytes(group: int, head_dim: int) -> int:
    """Return the bytes of its own that a thread needs for a tile."""
    rows = tile_tokens(group, head_dim) * group + _TOGETHER
    return rows * (8 * head_dim + 4 * RUN + _STATE) + 12 * RUN * head_dim


@compiled
def _add_products(left, left_stride, depth, right, right_stride, out, out_stride):
    """Add `left @ right` to `out`, of [4, depth], [depth, 16] and [4, 16] fp32."""
    left_2, left_3 = left + left_stride, left + 2 * left_stride
    left_4 = left + 3 * left_stride
    out_2, out_3, out_4 = out + out_stride, out + 2 * out_stride, out + 3 * out_stride
    a, b, c, d = load(out), load(out_2), load(out_3), load(out_4)
    for at in range(0, 4 * depth, 4):
        row = load(right)
        a = multiply_add(splat(load_scalar(left + at)), row, a)
        b = multiply_add(splat(load_scalar(left_2 + at)), row, b)
        c = multiply_add(splat(load_scalar(left_3 + at)), row, c)
        d = multiply_add(splat(load_scalar(left_4 + at)), row, d)
        right += right_stride
    store(out, a)
    store(out_2, b)
    store(out_3, c)
    store(out_4, d)


@compiled
def _soften(scores, before, summed, low, high):
    """Make a row's scores of a run weights; those before `low` and from `high` on are hidden.

    Returns:
        The maximum and the sum of all runs so far, and what earlier runs' results are to be
        multiplied with.
    """
    for number in range(low):
        store_scalar(scores + 4 * number, -math.inf)
    for number in range(high, RUN):
        store_scalar(scores + 4 * number, -math.inf)
    first, second = load(scores), load(scores + 4 * LANES)
    highest = max(before, largest(greater(first, second)))
    first = exponential(add(first, splat(-highest)))
    second = exponential(add(second, splat(-highest)))
    store(scores, first)
    store(scores + 4 * LANES, second)
    kept = 1.0
    if highest != before:
        kept = math.exp(before - highest)
    return highest, summed * kept + total(add(first, second)), kept


def _over_pages(load_numbers, store_numbers, size):
    """Return functions of pages of numbers of `size` bytes: `keep` and `attend`."""

    @compiled
    def keep(step, phase, row):
        """Rotate a token's queries in place, and write its keys and values into its page."""
        heads, kv_heads, head_dim = phase.heads, phase.kv_heads, phase.head_dim
        block_size, head_bytes = step.block_size, 4 * head_dim
        projected = step.qkv + head_bytes * (heads + 2 * kv_heads) * row
        rotation = phase.rotation + head_bytes * row
        for head in range(heads + kv_heads):
            own = projected + head_bytes * head
            norm = phase.q_norm if head < heads else phase.k_norm
            turn_head(own, own, head_dim, norm, phase.eps, rotation)
        slot = load_int64(step.slots + 8 * row)
        page, offset = slot // block_size, slot % block_size
        is_last = load_int64(step.ends + 8 * row) != 0
        for head in range(kv_heads):
            key = projected + head_bytes * (heads + head)
            value = key + head_bytes * kv_heads
            at = size * head_dim * ((page * kv_heads + head) * block_size + offset)
            for number in range(0, head_dim, LANES):
                store_numbers(phase.k_pages + at + size * number, load(key + 4 * number))
                store_numbers(phase.v_pages + at + size * number, load(value + 4 * number))
            if is_last:
                # Other paths read whole pages of values: what is not written must be finite.
                for number in range(head_dim, (block_size - offset) * head_dim, LANES):
                    store_numbers(phase.v_pages + at + size * number, splat(0.0))

    @compiled
    def read(step, phase, kv_head, table, begin, end, target, pages):
        """Copy positions as fp32 [RUN, head_dim]; from `end` on they are zero."""
        head_dim, block_size = phase.head_dim, step.block_size
        for position in range(begin, begin + RUN):
            if position < end:
                page = load_int32(table + 4 * (position // block_size))
                row = (page * phase.kv_heads + kv_head) * block_size + position % block_size
                at = pages + size * head_dim * row
                for number in range(0, head_dim, LANES):
                    store(target + 4 * number, load_numbers(at + size * number))
            else:
                for number in range(0, head_dim, LANES):
                    store(target + 4 * number, splat(0.0))
            target += 4 * head_dim

    @compiled
    def attend(step, phase, tile, kv_head, scratch):
        """Compute attention of a tile's tokens and the query heads of a key head."""
        heads, head_dim = phase.heads, phase.head_dim
        group, head_bytes = heads // phase.kv_heads, 4 * head_dim
        first_row = load_int64(step.tile_table + 24 * tile)
        tokens = load_int64(step.tile_table + 24 * tile + 8)
        sequence = load_int64(step.tile_table + 24 * tile + 16)
        table = step.tables + 4 * step.table_stride * sequence
        rows = tokens * group
        padded = (rows + _TOGETHER - 1) // _TOGETHER * _TOGETHER
        queries = scratch
        outs = queries + head_bytes * padded
        scores = outs + head_bytes * padded
        states = scores + 4 * RUN * padded
        keys = states + _STATE * padded
        turned = keys + head_bytes * RUN
        values = turned + head_bytes * RUN
        for row in range(padded):
            own = min(row, rows - 1)  # rows that fill up are read by nobody
            source = step.qkv + head_bytes * (
                (heads + 2 * phase.kv_heads) * (first_row + own // group)
                + kv_head * group
                + own % group
            )
            for at in range(0, head_bytes, 4 * LANES):
                query = multiply(load(source + at), splat(phase.scale))
                store(queries + head_bytes * row + at, query)
                store(outs + head_bytes * row + at, splat(0.0))
            store_scalar(states + _STATE * row, -math.inf)
            store_scalar(states + _STATE * row + 4, 0.0)

        # A prompt's tokens are neighbours.
        first_position = load_int64(step.positions + 8 * first_row)
        end = first_position + tokens
        begin = 0
        if phase.window > 0:
            begin = max(0, first_position + 1 - phase.window) // RUN * RUN
        while begin < end:
            read(step, phase, kv_head, table, begin, end, keys, phase.k_pages)
            read(step, phase, kv_head, table, begin, end, values, phase.v_pages)
            for at in range(0, head_bytes, 4 * LANES):
                target = turned + RUN * at
                transpose(keys + at, head_bytes, target, 4 * RUN)
                transpose(keys + at + LANES * head_bytes, head_bytes, target + 4 * LANES, 4 * RUN)
            # Rows before have seen nothing yet.
            row = max(0, begin - first_position) * group // _TOGETHER * _TOGETHER
            while row < padded:
                score(queries + head_bytes * row, head_dim, turned, scores + 4 * RUN * row)
                for own in range(row, row + _TOGETHER):
                    position = first_position + min(own, rows - 1) // group
                    low = 0
                    if phase.window > 0:
                        low = max(0, position + 1 - phase.window - begin)
                    weights = scores + 4 * RUN * own
                    high = min(RUN, position + 1 - begin)
                    if low >= high:
                        store(weights, splat(0.0))
                        store(weights + 4 * LANES, splat(0.0))
                        continue
                    state, out = states + _STATE * own, outs + head_bytes * own
                    before, summed = load_scalar(state), load_scalar(state + 4)
                    highest, summed, kept = _soften(weights, before, summed, low, high)
                    store_scalar(state, highest)
                    store_scalar(state + 4, summed)
                    if kept != 1.0:
                        for at in range(0, head_bytes, 4 * LANES):
                            store(out + at, multiply(load(out + at), splat(kept)))
                for at in range(0, head_bytes, 4 * LANES):
                    _add_products(
                        scores + 4 * RUN * row,
                        4 * RUN,
                        RUN,
                        values + at,
                        head_bytes,
                        outs + head_bytes * row + at,
                        head_bytes,
                    )
                row += _TOGETHER
            begin += RUN

        for row in range(rows):
            target = step.attended + head_bytes * (
                heads * (first_row + row // group) + kv_head * group + row % group
            )
            share = splat(1.0 / load_scalar(states + _STATE * row + 4))
            for at in range(0, head_bytes, 4 * LANES):
                store(target + at, multiply(load(outs + head_bytes * row + at), share))

    @compiled
    def score(query, head_dim, turned, scores):
        """Compute the scores [4, RUN] of four rows."""
        for at in (0, 4 * LANES):
            for row in range(0, _TOGETHER * 4 * RUN, 4 * RUN):
                store(scores + row + at, splat(0.0))
            _add_products(query, 4 * head_dim, head_dim, turned + at, 4 * RUN, scores + at, 4 * RUN)

    return keep, attend


keep_bf16, attend_bf16 = _over_pages(load_bf16, store_bf16, 2)
keep_fp32, attend_fp32 = _over_pages(load, store, 4)
