"""Decode: projections, alone or added to the residual stream, ready for the norm that follows."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    sum_of_splits,
    take_turn,
    times_rows,
)
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles, product_options


@triton.jit(do_not_specialize=["batch"])
def _project_kernel(
    x,
    squares,
    w,
    out,
    parts,
    counters,
    batch,
    eps,
    N: tl.constexpr,
    NORMED: tl.constexpr,
    PARTS: tl.constexpr,
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
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    rows = tl.minimum(n, N - 1).to(tl.int64)
    held = hold(w, rows, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    take_turn(DEPENDENT, SIGNALS, DEPTH, SLICES)
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    if NORMED and DEPTH == 0:
        sums = load_squares(squares, batch, PARTS, BATCH)
    if NORMED and DEPTH == 0 and SLICES == 0:  # at once: the product needs the registers
        scale = inverse_rms(sums, eps, K)
    acc = times_rows(
        held, first_row, w, rows, x, begin, batch, K, LENGTH, WIDTH, DEPTH, SLICES, BATCH, STAGES,
        PRECISION,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    if NORMED:
        if DEPTH > 0:  # not held over the loop: they would take many registers
            sums = load_squares(squares, batch, PARTS, BATCH)
        if DEPTH > 0 or SLICES > 0:
            scale = inverse_rms(sums, eps, K)
        acc *= scale
    mask = is_last & (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :].to(tl.int64) * N + n[:, None], acc, mask=mask)


def project(
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    workspace: SplitWorkspace,
    tiles: Tiles,
    dependent: bool,
    squares: Tensor | None = None,
    eps: float = 0.0,
) -> None:
    """`x @ weight.T` in fp32, divided by each row's rms where `squares` are given.

    Args:
        x: [batch, in_features]: the residual stream times the norm's weight, not yet divided by
            its rms.
        weight: [out_features, in_features], dtype of `x`.
        out: [batch, out_features], fp32.
        workspace: for the sums of programs that share a tile.
        tiles: how to compute it.
        dependent: launch by programmatic dependent launch.
        squares: [parts, batch], fp32: sums of squares over parts of the residual stream.
        eps: of the norm.
    """
    batch = x.shape[0]
    out_features = weight.shape[0]
    _project_kernel[(-(-out_features // tiles.rows), tiles.splits_of(x.shape[1]))](
        x,
        squares,
        weight,
        out,
        workspace.parts,
        workspace.counters,
        batch,
        eps,
        N=out_features,
        NORMED=squares is not None,
        PARTS=0 if squares is None else squares.shape[0],
        **product_options(x, tiles, dependent),
    )


@triton.jit(do_not_specialize=["batch"])
def _project_and_add_kernel(
    x,
    w,
    bias,
    residual,
    norm,
    scaled,
    squares,
    parts,
    counters,
    batch,
    N: tl.constexpr,
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
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    rows = tl.minimum(n, N - 1).to(tl.int64)
    held = hold(w, rows, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    factor = tl.load(norm + n, mask=n < N, other=0.0).to(tl.float32)
    take_turn(DEPENDENT, SIGNALS, DEPTH, SLICES)
    at = m[None, :] * N + n[:, None]
    inside = (n[:, None] < N) & (m[None, :] < batch)
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    before = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    acc = times_rows(
        held, first_row, w, rows, x, begin, batch, K, LENGTH, WIDTH, DEPTH, SLICES, BATCH, STAGES,
        PRECISION,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)

    stored = is_last & inside
    if HAS_BIAS:
        acc += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    total = (before + acc).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=stored)
    wide = tl.where(stored, total.to(tl.float32), 0.0)
    tl.store(scaled + at, (wide * factor[:, None]).to(scaled.dtype.element_ty), mask=stored)
    sums = tl.sum(wide * wide, axis=0)  # [BATCH]
    tl.store(squares + tile * batch + m, sums, mask=is_last & (m < batch))


def project_and_add(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor,
    norm: Tensor,
    scaled: Tensor,
    squares: Tensor,
    workspace: SplitWorkspace,
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
        workspace: for the sums of programs that share a tile.
        tiles: how to compute it.
        dependent: launch by programmatic dependent launch.
    """
    batch = x.shape[0]
    hidden = weight.shape[0]
    _project_and_add_kernel[(-(-hidden // tiles.rows), tiles.splits_of(x.shape[1]))](
        x,
        weight,
        bias,
        residual,
        norm,
        scaled,
        squares,
        workspace.parts,
        workspace.counters,
        batch,
        N=hidden,
        HAS_BIAS=bias is not None,
        **product_options(x, tiles, dependent),
    )
