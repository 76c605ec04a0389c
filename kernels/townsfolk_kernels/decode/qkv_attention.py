"""Decode one sequence: norm, fused q/k/v projection, rotary embedding, write and attention.

All in one launch. The programs of the attention begin beside those of the projection, so their old
keys and values have come by the time the new token's queries are there. As a kernel of its own,
attention found no room on the device before the projection had ended, and ended 7 us later: both
took 13.8 us a layer, now 12.8 (Llama-3.2-1B, H200). What one program needs of another comes by
`relay`, from such with lower numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.attention import (
    attend,
    attend_to_pages,
    page_offsets,
    rms_factors,
    rotated,
)
from townsfolk_kernels.decode.operands import Heads, Launch, RowNorm, Sequences
from townsfolk_kernels.decode.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    times_rows,
)
from townsfolk_kernels.decode.relay import any_of, give_up, lacks, look, put, values_of
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import (
    options,
    power_of_two,
    precision,
)

MAX_SPLITS = 16
MAX_COPIES = 64
_AHEAD, _LEAST_KEYS = 8192, 64
"""Elements of keys, and as many of values, that a program loads before it waits; and positions.

Half as many or twice as many took 0.010 and 0.020 ms more a step (Llama-3.2-1B, H200). For heads of
256, 64 positions instead of 32 took 0.879 ms a step instead of 0.942 (Gemma-3-1B).
"""
_MERGED = 4096  # elements that the last program merges, unless that is fewer than 8 parts


@dataclass(frozen=True, slots=True)
class LoneSpace:
    """Where the programs of a step of one sequence meet; words are those of `relay`.

    Attributes:
        step: [1], int32: the number of the step; with the layer's it makes the tag.
        fresh: [heads + 2 * kv_heads, head_dim], words: queries, keys and values of the new token.
        sums: [kv_heads, MAX_SPLITS, group, head_dim], int64 words, the last two dimensions rounded
            up to powers of two: what each program of the attention has summed.
        softmax: [kv_heads, MAX_SPLITS, group, MAX_COPIES], int64 words: the maximum of its softmax
            some times, then its mass as often.
        layers: of the model.
    """

    step: Tensor
    fresh: Tensor
    sums: Tensor
    softmax: Tensor
    layers: int

    @classmethod
    def allocate(
        cls,
        layers: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
        step: Tensor,
    ) -> LoneSpace:
        """Take memory for layers of this shape, whose activations are of `dtype`."""
        word = torch.int32 if dtype.itemsize == 2 else torch.int64
        shape = (kv_heads, MAX_SPLITS, power_of_two(heads // kv_heads))

        def zeros(*size: int, of: torch.dtype = torch.int64) -> Tensor:
            return torch.zeros(size, dtype=of, device=device)

        return cls(
            step=step,
            fresh=zeros(heads + 2 * kv_heads, head_dim, of=word),
            sums=zeros(*shape, _width(head_dim)),
            softmax=zeros(*shape, MAX_COPIES),
            layers=layers,
        )


@triton.jit
def _project(
    first, x, squares, w, bias, rotation, table, position, is_used, k_pages, v_pages, fresh, step,
    layer, eps,
    LAYERS: tl.constexpr, HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, PARTS: tl.constexpr, HAS_BIAS: tl.constexpr,
    HEADS_NORMED: tl.constexpr, K: tl.constexpr, LENGTH: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    """Queries, keys or values from row `first` of `w` on: into `fresh`, the latter into pages.

    Queries and keys that are normalised by the head are neither rotated here, nor are such keys
    put into pages: that takes the whole head, which `_attend` has.
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
    """[TILE_G, TILE_D] fp32: what `count` programs have put from `row` on, by their softmax."""
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
def _attend(
    kv_head, split, table, position, rotation, q_norm, k_norm, k_pages, v_pages, out, fresh, sums,
    softmax, step, layer, scale, head_eps,
    LAYERS: tl.constexpr, GROUP: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr, WINDOW: tl.constexpr, HEADS_NORMED: tl.constexpr,
    TILE_G: tl.constexpr, TILE_H: tl.constexpr, TILE_D: tl.constexpr, KEYS: tl.constexpr,
    SPLITS: tl.constexpr, COPIES: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr, IS_BOUNDED: tl.constexpr,
):  # fmt: skip
    """Attention of one group of heads to a share of the positions; the last program merges."""
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


@kernel(do_not_specialize=["layer"])
def _qkv_attend_kernel(
    x,
    squares,
    w,
    bias,
    rotation,
    rows,
    positions,
    tables,
    k_pages,
    v_pages,
    out,
    fresh,
    sums,
    softmax,
    step,
    table_stride,
    eps,
    scale,
    q_norm,
    k_norm,
    head_eps,
    layer,
    LAYERS: tl.constexpr,
    GROUP: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    WINDOW: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HEADS_NORMED: tl.constexpr,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    TILES: tl.constexpr,
    TILE_G: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_D: tl.constexpr,
    KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    COPIES: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
    IS_BOUNDED: tl.constexpr,
):
    program = tl.program_id(0)
    row = tl.load(rows)
    is_used = row >= 0
    position = tl.where(is_used, tl.load(positions), 0)
    table = tables + tl.maximum(row, 0) * table_stride
    if program < TILES:
        _project(
            program * ROWS, x, squares, w, bias, rotation, table, position, is_used, k_pages,
            v_pages, fresh, step, layer, eps,
            LAYERS, GROUP * KV_HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE, PARTS, HAS_BIAS,
            HEADS_NORMED, K, LENGTH, WIDTH, ROWS, PRECISION, DEPENDENT, SIGNALS,
        )  # fmt: skip
    elif is_used:
        _attend(
            (program - TILES) % KV_HEADS, (program - TILES) // KV_HEADS, table, position, rotation,
            q_norm, k_norm, k_pages, v_pages, out, fresh, sums, softmax, step, layer, scale,
            head_eps,
            LAYERS, GROUP, KV_HEADS, HEAD_DIM, BLOCK_SIZE, WINDOW, HEADS_NORMED, TILE_G, TILE_H,
            TILE_D, KEYS, SPLITS, COPIES, PRECISION, DEPENDENT, SIGNALS, IS_BOUNDED,
        )  # fmt: skip


def qkv_attend(
    x: Tensor,
    norm: RowNorm,
    weight: Tensor,
    layer: Heads,
    sequences: Sequences,
    out: Tensor,
    space: LoneSpace,
    number: int,
    launch: Launch,
    splits: int,
) -> None:
    """Compute the attention of one new token, from the residual stream.

    Its keys and values go into the pages.

    Args:
        x: [1, hidden]: the residual stream times the norm's weight, not yet divided by its rms.
        norm: what is left of the norm.
        weight: [(heads + 2 * kv_heads) * head_dim, hidden], dtype of `x`.
        layer: the layer's heads.
        sequences: the one that decodes; where there is none, pages and `out` stay as they were.
        out: [1, heads, head_dim], dtype of `x`.
        space: where programs meet. No two calls with one step may have the same number.
        number: of this layer, below `space.layers`.
        launch: of the projection, in registers; `rows` of its tiles divides head_dim.
        splits: the most programs for one key head, a power of two up to MAX_SPLITS.
    """
    tiles, k_pages, heads_norm = launch.tiles, layer.k_pages, layer.norm
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads, in_features = out.shape[1], x.shape[1]
    assert tiles.rows > 1
    assert head_dim % tiles.rows == 0
    group, tile_d = power_of_two(heads // kv_heads), _width(head_dim)
    tile_h, programs = max(16, group), weight.shape[0] // tiles.rows
    length = tiles.share(in_features)
    # With heads of 256, threads of four warps would keep 144 bytes in memory. A tile of words has
    # as many as a program has threads; see `relay`.
    warps = min(max(tiles.warps, 8 if tile_d > 128 else 1), tile_h * tile_d // 32)
    copies = max(32 * warps // (splits * group), 2)
    if copies > MAX_COPIES or splits * group * tile_d < 32 * warps:
        splits, copies = 1, 2
    _qkv_attend_kernel[(programs + kv_heads * splits,)](
        x,
        norm.squares,
        weight,
        layer.bias,
        layer.rotation,
        sequences.rows,
        sequences.positions,
        sequences.tables,
        k_pages,
        layer.v_pages,
        out,
        space.fresh,
        space.sums,
        space.softmax,
        space.step,
        sequences.tables.stride(0),
        norm.eps,
        layer.scale,
        heads_norm and heads_norm.queries,
        heads_norm and heads_norm.keys,
        0.0 if heads_norm is None else heads_norm.eps,
        number,
        LAYERS=space.layers,
        GROUP=heads // kv_heads,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        WINDOW=layer.window or 0,
        PARTS=norm.squares.shape[0],
        HAS_BIAS=layer.bias is not None,
        HEADS_NORMED=heads_norm is not None,
        K=in_features,
        LENGTH=length,
        WIDTH=power_of_two(length),
        ROWS=tiles.rows,
        TILES=programs,
        TILE_G=group,
        TILE_H=tile_h,
        TILE_D=tile_d,
        KEYS=max(_AHEAD // tile_d, _LEAST_KEYS),
        SPLITS=splits,
        COPIES=copies,
        PRECISION=precision(x),
        DEPENDENT=launch.dependent,
        SIGNALS=card_of(x.device).has_dependent_launch,
        IS_BOUNDED=x.device.type != "cpu",
        **options(warps, dependent=launch.dependent),
    )


def _width(head_dim: int) -> int:
    """Columns of a tile of values."""
    return max(16, power_of_two(head_dim))


def lone_splits(heads: int, kv_heads: int, head_dim: int, processors: int) -> int:
    """The most programs that share the keys of one head.

    For half of the device with heads of 64, where twice as many took 0.013 ms more a step
    (Llama-3.2-1B, H200); wider ones have fewer positions for each program. But what is merged must
    fit into registers: 16 parts of 4 heads of 256 took 0.96 ms a step, 8 took 0.88 (Gemma-3-1B).
    """
    wanted = max(processors * head_dim // (128 * kv_heads), 1)
    part = power_of_two(heads // kv_heads) * _width(head_dim)
    most = min(max(_MERGED // part, 8), MAX_SPLITS)
    return min(1 << (wanted.bit_length() - 1), most)
