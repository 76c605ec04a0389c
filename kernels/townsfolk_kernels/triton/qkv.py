"""Decode: norm, fused q/k/v projection, rotary embedding and the write into the pages."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.triton.launch import (
    Tiles,
    batch_tile,
    options,
    power_of_two,
    precision,
)
from townsfolk_kernels.triton.product import (
    inverse_rms,
    load_row,
    load_tile,
    rows_times_rows,
    tile_times_rows,
)


@triton.jit(do_not_specialize=["batch"])
def _qkv_kernel(
    x,
    squares,
    w,
    bias,
    rotation,
    rows,
    positions,
    tables,
    q_out,
    k_pages,
    v_pages,
    batch,
    table_stride,
    eps,
    K: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    N: tl.constexpr = (HEADS + 2 * KV_HEADS) * HEAD_DIM
    first = tl.program_id(0) * ROWS
    if DEPTH == 0:
        tile = load_tile(w, first, N, K, ROWS, WIDTH)
    m = tl.arange(0, BATCH)
    row = tl.load(rows + m, mask=m < batch, other=-1)
    valid = row >= 0
    position = tl.load(positions + m, mask=valid, other=0)
    head = first // HEAD_DIM
    inside = first % HEAD_DIM  # a tile lies in one head
    d = inside + tl.arange(0, ROWS)
    # Nothing of this changes within a step, so it need not wait.
    pair = inside // 2 + tl.arange(0, ROWS // 2)
    turn = rotation + position[None, :] * HEAD_DIM + 2 * pair[:, None]
    cos, sin = tl.load(turn), tl.load(turn + 1)  # [ROWS / 2, BATCH]
    block = tl.load(tables + row * table_stride + position // BLOCK_SIZE, mask=valid, other=0)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    if DEPTH == 0:
        first_row = load_row(x, 0, batch, K, WIDTH)
    scale = inverse_rms(squares, batch, eps, PARTS, K, BATCH)[None, :]
    if DEPTH == 0:
        acc = tile_times_rows(tile, first_row, x, batch, K, ROWS, WIDTH, BATCH)
    else:
        acc = rows_times_rows(w, x, first, 0, batch, N, K, K, ROWS, DEPTH, BATCH, STAGES, PRECISION)
    acc *= scale
    n = first + tl.arange(0, ROWS)
    if HAS_BIAS:
        acc += tl.load(bias + n).to(tl.float32)[:, None]

    if head < HEADS + KV_HEADS:
        pairs = tl.permute(tl.reshape(acc, [ROWS // 2, 2, BATCH]), (0, 2, 1))
        even, odd = tl.split(pairs)
        turned = tl.join(even * cos - odd * sin, even * sin + odd * cos)
        acc = tl.reshape(tl.permute(turned, (0, 2, 1)), [ROWS, BATCH])
    result = acc.to(q_out.dtype.element_ty)
    if head < HEADS:
        at = q_out + m[None, :] * (HEADS * HEAD_DIM) + n[:, None]
        tl.store(at, result, mask=valid[None, :])
    else:
        pages = k_pages if head < HEADS + KV_HEADS else v_pages
        kv_head = (head - HEADS) % KV_HEADS
        slot = (block.to(tl.int64) * KV_HEADS + kv_head) * BLOCK_SIZE + position % BLOCK_SIZE
        tl.store(pages + slot[None, :] * HEAD_DIM + d[:, None], result, mask=valid[None, :])


def qkv_rope_store(
    x: Tensor,
    squares: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    rotation: Tensor,
    rows: Tensor,
    positions: Tensor,
    tables: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    eps: float,
    out: Tensor,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """Queries of one new token a sequence; its keys and values go into the pages.

    Args:
        x: [batch, hidden]: the residual stream times the norm's weight, not yet divided by its rms.
        squares: [parts, batch], fp32: sums of squares over parts of the residual stream.
        weight: [(heads + 2 * kv_heads) * head_dim, hidden], dtype of `x`.
        bias: [(heads + 2 * kv_heads) * head_dim], or None.
        rotation: [positions, head_dim / 2, 2], fp32: cosine and sine of each pair's angle.
        rows: [batch], int32: which row of `tables`; below 0 for a place that is not used, whose
            keys and values are not written and whose queries stay undefined.
        positions: [batch], int32, of the new tokens.
        tables: [any, max_blocks], int32: block tables.
        k_pages: [num_blocks, kv_heads, block_size, head_dim], dtype of `x`, written in place.
        v_pages: like `k_pages`.
        eps: of the norm.
        out: [batch, heads, head_dim], dtype of `x`: the rotated queries.
        tiles: `rows` divides head_dim; no splits.
        dependent: launch by programmatic dependent launch.
    """
    batch, hidden = x.shape
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads = out.shape[1]
    assert tiles.rows > 1
    assert head_dim % tiles.rows == 0
    _qkv_kernel[(weight.shape[0] // tiles.rows,)](
        x,
        squares,
        weight,
        bias,
        rotation,
        rows,
        positions,
        tables,
        out,
        k_pages,
        v_pages,
        batch,
        tables.stride(0),
        eps,
        K=hidden,
        HEADS=heads,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        PARTS=squares.shape[0],
        HAS_BIAS=bias is not None,
        ROWS=tiles.rows,
        DEPTH=tiles.depth,
        WIDTH=power_of_two(hidden),
        BATCH=batch_tile(batch, tiles),
        STAGES=tiles.stages,
        PRECISION=precision(x),
        DEPENDENT=dependent,
        **options(tiles.warps, tiles.stages, dependent),
    )
