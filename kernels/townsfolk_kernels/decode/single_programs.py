"""Decode one sequence: what a program of its projection and one of its attention do."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.attention import (
    attend,
    attend_to_pages,
    page_offsets,
    rms_factors,
    rotated,
)
from townsfolk_kernels.decode.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    times_rows,
)
from townsfolk_kernels.decode.relay import any_of, give_up, lacks, look, put, values_of


@triton.jit
def project_heads(
    first, x, squares, w, bias, rotation, table, position, is_used, k_pages, v_pages, fresh, step,
    layer, eps,
    LAYERS: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, PARTS: tl.constexpr, HAS_BIAS: tl.constexpr,
    HEADS_NORMED: tl.constexpr, K: tl.constexpr, LENGTH: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    """Project to queries, keys or values: into `fresh`, keys and values into their pages, too.

    Queries and keys that are normalised by the head are neither rotated here, nor are such keys
    put into pages: that takes the whole head, which `attend_to_share` has.
    """
    r = tl.arange(0, ROWS)
    n, inside = first + r, first % HEAD_DIM  # a tile lies in one head
    held = hold(w, n.to(tl.int64), 0, K, LENGTH, WIDTH, 0, 0)
    # None of this changes within a step, so it need not wait.
    block = tl.load(table + position // BLOCK_SIZE).to(tl.int64)
    if not HEADS_NORMED:
        turn = rotation + position * HEAD_DIM + inside + 2 * tl.arange(0, ROWS // 2)
        cos, sin = tl.load(turn), tl.load(turn + 1)
    if DEPENDENT:
        gdc_wait()
    if SIGNALS:
        gdc_launch_dependents()
    first_row = load_first(x, 0, K, LENGTH, WIDTH, 0, 0)
    norm = inverse_rms(load_squares(squares, 1, PARTS, 1), eps, K)
    tag = tl.load(step) * LAYERS + layer
    acc = times_rows(
        held, first_row, w, n.to(tl.int64), x, 0, 1, K, LENGTH, WIDTH, 0, 0, 1, 1, PRECISION
    )
    result = tl.reshape(acc * norm, [ROWS])
    if HAS_BIAS:
        result += tl.load(bias + n).to(tl.float32)
    head = first // HEAD_DIM
    if not HEADS_NORMED:  # noqa: SIM102  known when it is compiled
        if head < HEADS + KV_HEADS:
            even, odd = tl.split(tl.reshape(result, [ROWS // 2, 2]))
            result = tl.reshape(tl.join(even * cos - odd * sin, even * sin + odd * cos), [ROWS])
    FIRST: tl.constexpr = HEADS + KV_HEADS if HEADS_NORMED else HEADS  # head whose rows are stored
    rounded = result.to(k_pages.dtype.element_ty)
    put(fresh + n, rounded, tag, r < ROWS)
    if (head >= FIRST) & is_used:
        pages = k_pages if head < HEADS + KV_HEADS else v_pages
        slot = (block * KV_HEADS + (head - HEADS) % KV_HEADS) * BLOCK_SIZE + position % BLOCK_SIZE
        tl.store(pages + slot * HEAD_DIM + inside + r, rounded)


@triton.jit
def _merge(
    sums, softmax, row, count, tag,
    TILE_G: tl.constexpr, TILE_D: tl.constexpr, SPLITS: tl.constexpr, COPIES: tl.constexpr,
    IS_BOUNDED: tl.constexpr,
):  # fmt: skip
    """Merge what `count` programs have put from `row` on, by their softmax: [TILE_G, TILE_D]."""
    s, g = tl.arange(0, SPLITS), tl.arange(0, TILE_G)
    d, c = tl.arange(0, TILE_D), tl.arange(0, COPIES)
    rows = row + s[:, None, None] * TILE_G + g[None, :, None]
    sums_at, softmax_at = sums + rows * TILE_D + d[None, None, :], softmax + rows * COPIES + c
    is_sum = (s < count)[:, None, None] & (rows + d[None, None, :] >= 0)
    is_softmax = (s < count)[:, None, None] & (rows + c[None, None, :] >= 0)
    sums_seen, softmax_seen = look(sums_at, is_sum), look(softmax_at, is_softmax)
    looks = 0
    while any_of(lacks(sums_seen, tag, is_sum)) | any_of(lacks(softmax_seen, tag, is_softmax)):
        looks += 1
        give_up(looks, IS_BOUNDED)
        sums_seen, softmax_seen = look(sums_at, is_sum), look(softmax_at, is_softmax)
    both = values_of(softmax_seen, tl.float32)
    is_top = (c < COPIES // 2)[None, None, :]
    tops = tl.max(tl.where(is_softmax & is_top, both, -float("inf")), axis=2)  # [SPLITS, TILE_G]
    masses = tl.max(tl.where(is_softmax & ~is_top, both, 0.0), axis=2)
    shares = tl.exp(tops - tl.max(tops, axis=0)[None, :])
    shares = shares / tl.sum(shares * masses, axis=0)[None, :]
    return tl.sum(values_of(sums_seen, tl.float32) * shares[:, :, None], axis=0)


@triton.jit
def attend_to_share(
    kv_head, split, table, position, rotation, q_norm, k_norm, k_pages, v_pages, out, fresh, sums,
    softmax, step, layer, scale, head_eps,
    LAYERS: tl.constexpr, GROUP: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, WINDOW: tl.constexpr, HEADS_NORMED: tl.constexpr,
    TILE_G: tl.constexpr, TILE_H: tl.constexpr, TILE_D: tl.constexpr, KEYS: tl.constexpr,
    SPLITS: tl.constexpr, COPIES: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr, IS_BOUNDED: tl.constexpr,
):  # fmt: skip
    """Attend with one group of heads to a share of the positions; the last program merges."""
    dtype = k_pages.dtype.element_ty
    begin = 0
    if WINDOW > 0:
        begin = tl.maximum(position + 1 - WINDOW, 0)
    # How many programs share the keys depends on the length now, not on the graph.
    count = tl.minimum(tl.maximum((position - begin + KEYS - 1) // KEYS, 1), SPLITS)
    if split < count:
        span = (position - begin + count - 1) // count
        low = begin + split * span
        high = tl.minimum(low + span, position)
        h, d, t = tl.arange(0, TILE_H), tl.arange(0, TILE_D), tl.arange(0, KEYS)
        real_d = d[None, :] < HEAD_DIM
        # The pages of all positions but the new one were written in earlier steps.
        key = low + t
        inside = key < high
        at = page_offsets(table, key, kv_head, inside, KV_HEADS, BLOCK_SIZE, HEAD_DIM)
        places = at[:, None] + d[None, :]
        k = tl.load(k_pages + places, mask=inside[:, None] & real_d, other=0.0)
        v = tl.load(v_pages + places, mask=inside[:, None] & real_d, other=0.0)
        if HEADS_NORMED:
            row_of_head = h[:, None] * 0 + d[None, :]
            turn = tl.load(rotation + position * HEAD_DIM + row_of_head, mask=real_d, other=0.0)
            q_weight = tl.load(q_norm + row_of_head, mask=real_d, other=0.0)
            k_weight = tl.load(k_norm + row_of_head, mask=real_d, other=0.0)
            block = tl.load(table + position // BLOCK_SIZE).to(tl.int64)
            slot = (block * KV_HEADS + kv_head) * BLOCK_SIZE + position % BLOCK_SIZE
        if DEPENDENT:
            gdc_wait()
        if SIGNALS:
            gdc_launch_dependents()
        tag = tl.load(step) * LAYERS + layer

        is_last = split == count - 1
        real = (h[:, None] < GROUP) & real_d
        is_new = real & is_last
        q_at = fresh + (kv_head * GROUP + h[:, None]) * HEAD_DIM + d[None, :]
        k_at = fresh + (GROUP * KV_HEADS + kv_head + h[:, None] * 0) * HEAD_DIM + d[None, :]
        v_at = k_at + KV_HEADS * HEAD_DIM
        q_seen, k_seen, v_seen = look(q_at, real), look(k_at, is_new), look(v_at, is_new)
        looks = 0
        while any_of(
            lacks(q_seen, tag, real) | lacks(k_seen, tag, is_new) | lacks(v_seen, tag, is_new)
        ):
            looks += 1
            give_up(looks, IS_BOUNDED)
            q_seen, k_seen, v_seen = look(q_at, real), look(k_at, is_new), look(v_at, is_new)
        queries = values_of(q_seen, dtype)
        new_k, new_v = values_of(k_seen, dtype), values_of(v_seen, dtype)
        if HEADS_NORMED:
            wide = queries.to(tl.float32)
            factors = rms_factors(wide, head_eps, HEAD_DIM)
            queries = rotated(wide * factors * q_weight, turn).to(dtype)
            wide = new_k.to(tl.float32)
            factors = rms_factors(wide, head_eps, HEAD_DIM)
            new_k = rotated(wide * factors * k_weight, turn).to(dtype)
            k_place = k_pages + slot * HEAD_DIM + row_of_head
            tl.store(k_place, new_k, mask=real_d & (h[:, None] == 0) & is_last)
        # The last program's running softmax begins with the new token.
        score = tl.sum(queries.to(tl.float32) * new_k.to(tl.float32), axis=1) * scale
        top = tl.where(is_last, score, -float("inf"))
        mass = tl.where(is_last, tl.full([TILE_H], 1.0, tl.float32), 0.0)
        acc = tl.where(is_last, new_v.to(tl.float32), 0.0)
        top, mass, acc = attend(queries, k, v, inside, scale, top, mass, acc, PRECISION)
        top, mass, acc = attend_to_pages(
            queries, k_pages, v_pages, table, low + KEYS, high, kv_head, scale, top, mass, acc,
            KV_HEADS, BLOCK_SIZE, HEAD_DIM, TILE_D, KEYS, 1, PRECISION,
        )  # fmt: skip

        own = out + kv_head * (GROUP * HEAD_DIM)
        if count == 1:
            result = acc / mass[:, None]
            tl.store(own + h[:, None] * HEAD_DIM + d[None, :], result.to(dtype), mask=real)
        else:
            row = kv_head * (SPLITS * TILE_G)
            mine = row + split * TILE_G + h[:, None]
            c = tl.arange(0, COPIES)[None, :]
            is_kept = h[:, None] < TILE_G
            both = tl.where(c < COPIES // 2, top[:, None], mass[:, None])
            put(softmax + mine * COPIES + c, both, tag, is_kept & (c >= 0))
            put(sums + mine * TILE_D + d[None, :], acc, tag, is_kept & (d >= 0)[None, :])
            if is_last:
                merged = _merge(
                    sums, softmax, row, count, tag, TILE_G, TILE_D, SPLITS, COPIES, IS_BOUNDED
                )
                g = tl.arange(0, TILE_G)[:, None]
                stored = (g < GROUP) & real_d
                tl.store(own + g * HEAD_DIM + d[None, :], merged.to(dtype), mask=stored)
