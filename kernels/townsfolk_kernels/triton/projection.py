"""Decode: a projection added to the residual stream, ready for the norm that follows."""

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
    load_row,
    load_tile,
    rows_times_rows,
    sum_of_splits,
    tile_times_rows,
)


@triton.jit(do_not_specialize=["batch"])
def _project_kernel(
    x,
    w,
    bias,
    residual,
    norm,
    scaled,
    squares,
    workspace,
    counters,
    batch,
    N: tl.constexpr,
    K: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    SPLITS: tl.constexpr,
    LENGTH: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    tile_id, split = tl.program_id(0), tl.program_id(1)
    first = tile_id * ROWS
    begin = split * LENGTH
    if DEPTH == 0:
        tile = load_tile(w, first, N, K, ROWS, WIDTH)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    n, m = first + tl.arange(0, ROWS), tl.arange(0, BATCH)
    at = m[None, :] * N + n[:, None]
    inside = (n[:, None] < N) & (m[None, :] < batch)
    if DEPTH == 0:
        first_row = load_row(x, 0, batch, K, WIDTH)
    before = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    factor = tl.load(norm + n, mask=n < N, other=0.0).to(tl.float32)
    if DEPTH == 0:
        acc = tile_times_rows(tile, first_row, x, batch, K, ROWS, WIDTH, BATCH)
    else:
        acc = rows_times_rows(
            w, x, first, begin, batch, N, K, LENGTH, ROWS, DEPTH, BATCH, STAGES, PRECISION
        )
    acc, is_last = sum_of_splits(acc, workspace, counters, tile_id, split, SPLITS, ROWS, BATCH)

    stored = is_last & inside
    if HAS_BIAS:
        acc += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    total = (before + acc).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=stored)
    wide = tl.where(stored, total.to(tl.float32), 0.0)
    tl.store(scaled + at, (wide * factor[:, None]).to(scaled.dtype.element_ty), mask=stored)
    sums = tl.sum(wide * wide, axis=0)  # [BATCH]
    tl.store(squares + tile_id * batch + m, sums, mask=is_last & (m < batch))


def project_and_add(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor,
    norm: Tensor,
    scaled: Tensor,
    squares: Tensor,
    workspace: Tensor,
    counters: Tensor,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """`residual += x @ weight.T + bias`, and what the next RMSNorm needs.

    The norm divides a row by its rms, which commutes with the product that follows: that product
    divides, and this one leaves the row times the norm's weight, and the sums of squares.

    Args:
        x: [batch, in_features].
        weight: [hidden, in_features], dtype of `x`.
        bias: [hidden], or None.
        residual: [batch, hidden], changed in place.
        norm: [hidden], the weight of the norm that follows.
        scaled: [batch, hidden], dtype of `x`: becomes the new residual times `norm`.
        squares: [ceil(hidden / tiles.rows), batch], fp32: becomes sums of squares of the new one.
        workspace: fp32, at least tiles * splits * rows * (batch as a tile) elements.
        counters: [tiles], int32, zeros; left so.
        tiles: how to compute it.
        dependent: launch by programmatic dependent launch.
    """
    batch, in_features = x.shape
    hidden = weight.shape[0]
    step = max(tiles.depth, 1)
    length = -(-in_features // (tiles.splits * step)) * step
    _project_kernel[(-(-hidden // tiles.rows), tiles.splits)](
        x,
        weight,
        bias,
        residual,
        norm,
        scaled,
        squares,
        workspace,
        counters,
        batch,
        N=hidden,
        K=in_features,
        HAS_BIAS=bias is not None,
        ROWS=tiles.rows,
        DEPTH=tiles.depth,
        WIDTH=power_of_two(in_features),
        BATCH=batch_tile(batch, tiles),
        STAGES=tiles.stages,
        SPLITS=tiles.splits,
        LENGTH=length,
        PRECISION=precision(x),
        DEPENDENT=dependent,
        **options(tiles.warps, tiles.stages, dependent),
    )
