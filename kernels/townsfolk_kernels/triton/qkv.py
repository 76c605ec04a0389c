"""Decode: norm, fused q/k/v projection, rotary embedding and the write into the pages."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.triton.launch import SplitWorkspace, Tiles, product_options
from townsfolk_kernels.triton.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    sum_of_splits,
    times_rows,
)


@triton.jit
def _places(
    rows,
    positions,
    tables,
    rotation,
    batch,
    table_stride,
    inside,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    BATCH: tl.constexpr,
):
    """Which places are used, their positions and blocks [BATCH], and angles [ROWS / 2, BATCH]."""
    m = tl.arange(0, BATCH)
    row = tl.load(rows + m, mask=m < batch, other=-1)
    valid = row >= 0
    position = tl.load(positions + m, mask=valid, other=0)
    block = tl.load(tables + row * table_stride + position // BLOCK_SIZE, mask=valid, other=0)
    pair = inside + 2 * tl.arange(0, ROWS // 2)
    turn = rotation + position[None, :] * HEAD_DIM + pair[:, None]
    return valid, position, block, tl.load(turn), tl.load(turn + 1)


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
    parts,
    counters,
    batch,
    table_stride,
    eps,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    SLICES: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    SPLITS: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
):
    tile, split = tl.program_id(0), tl.program_id(1)
    begin = split * LENGTH if SPLITS > 1 else 0
    first = tile * ROWS
    n = first + tl.arange(0, ROWS)
    held = hold(w, n.to(tl.int64), begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    inside = first % HEAD_DIM  # a tile lies in one head
    # None of this changes within a step, so it need not wait; but what is held over a loop, for
    # many rows, costs registers.
    if DEPTH == 0:
        valid, position, block, cos, sin = _places(
            rows, positions, tables, rotation, batch, table_stride, inside, HEAD_DIM, BLOCK_SIZE,
            ROWS, BATCH,
        )  # fmt: skip
    if DEPENDENT:
        gdc_wait()
    if SIGNALS:
        gdc_launch_dependents()
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    if DEPTH == 0:
        sums = load_squares(squares, batch, PARTS, BATCH)
    if DEPTH == 0 and SLICES == 0:  # at once, for they take registers that the product needs
        scale = inverse_rms(sums, eps, K)
    acc = times_rows(
        held, first_row, w, n.to(tl.int64), x, begin, batch, K, LENGTH, WIDTH, DEPTH, SLICES, BATCH,
        STAGES, PRECISION,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    if DEPTH > 0:
        valid, position, block, cos, sin = _places(
            rows, positions, tables, rotation, batch, table_stride, inside, HEAD_DIM, BLOCK_SIZE,
            ROWS, BATCH,
        )  # fmt: skip
        sums = load_squares(squares, batch, PARTS, BATCH)
    if DEPTH > 0 or SLICES > 0:
        scale = inverse_rms(sums, eps, K)
    acc *= scale
    if HAS_BIAS:
        acc += tl.load(bias + n).to(tl.float32)[:, None]

    head, d, m = first // HEAD_DIM, inside + tl.arange(0, ROWS), tl.arange(0, BATCH)
    stored = is_last & valid[None, :]
    if head < HEADS + KV_HEADS:
        pairs = tl.permute(tl.reshape(acc, [ROWS // 2, 2, BATCH]), (0, 2, 1))
        even, odd = tl.split(pairs)
        turned = tl.join(even * cos - odd * sin, even * sin + odd * cos)
        acc = tl.reshape(tl.permute(turned, (0, 2, 1)), [ROWS, BATCH])
    result = acc.to(q_out.dtype.element_ty)
    if head < HEADS:
        at = q_out + m[None, :] * (HEADS * HEAD_DIM) + n[:, None]
        tl.store(at, result, mask=stored)
    else:
        pages = k_pages if head < HEADS + KV_HEADS else v_pages
        kv_head = (head - HEADS) % KV_HEADS
        slot = (block.to(tl.int64) * KV_HEADS + kv_head) * BLOCK_SIZE + position % BLOCK_SIZE
        tl.store(pages + slot[None, :] * HEAD_DIM + d[:, None], result, mask=stored)


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
    workspace: SplitWorkspace,
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
        workspace: for the sums of programs that share a tile.
        tiles: `rows` divides head_dim.
        dependent: launch by programmatic dependent launch.
    """
    batch = x.shape[0]
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads = out.shape[1]
    assert tiles.rows > 1
    assert head_dim % tiles.rows == 0
    _qkv_kernel[(weight.shape[0] // tiles.rows, tiles.splits_of(x.shape[1]))](
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
        workspace.parts,
        workspace.counters,
        batch,
        tables.stride(0),
        eps,
        HEADS=heads,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        PARTS=squares.shape[0],
        HAS_BIAS=bias is not None,
        **product_options(x, tiles, dependent),
    )
