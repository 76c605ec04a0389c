"""Decode: projections, alone or added to the residual stream, ready for the norm that follows."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.low_rank import (
    LowRankRows,
    add_low_rank,
    low_rank_arguments,
    with_registers_left,
)
from townsfolk_kernels.decode.operands import Addition, LaunchConfig, RowNorm
from townsfolk_kernels.decode.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    sum_of_splits,
    tanh,
    times_rows,
    wait_and_signal,
)
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import product_options


@kernel(do_not_specialize=["batch"])
def _project_kernel(
    x,
    squares,
    w,
    out,
    parts,
    counters,
    batch,
    eps,
    multiplier,
    cap,
    pool,
    entries,
    shrunk,
    index,
    count,
    places,
    numbers,
    N: tl.constexpr,
    NORMED: tl.constexpr,
    CAPPED: tl.constexpr,
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
    STRIDE: tl.constexpr,
    ADDED: tl.constexpr,
    END0: tl.constexpr,
    END1: tl.constexpr,
    MOST: tl.constexpr,
    IS_DOT: tl.constexpr,
):
    tile, split = tl.program_id(0), tl.program_id(1)
    begin = split * LENGTH if SPLITS > 1 else 0
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    rows = tl.minimum(n, N - 1).to(tl.int64)
    held = hold(w, rows, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    LATE: tl.constexpr = ADDED > 0 and DEPTH > 0  # see `shrink`
    if not LATE:
        wait_and_signal(DEPENDENT, SIGNALS, DEPTH, SLICES)
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    if NORMED and DEPTH == 0:
        sums = load_squares(squares, batch, PARTS, BATCH)
    if NORMED and DEPTH == 0 and SLICES == 0:  # at once: the product needs the registers
        scale = inverse_rms(sums, eps, K)
    acc = times_rows(
        held, first_row, w, rows, x, begin, batch, K, LENGTH, WIDTH, DEPTH, SLICES, BATCH, STAGES,
        PRECISION,
    )  # fmt: skip
    if LATE:
        wait_and_signal(DEPENDENT, SIGNALS, DEPTH, SLICES)
    if ADDED > 0:  # noqa: SIM102  known when it is compiled
        if split == 0:
            acc = add_low_rank(
                acc, rows, pool, entries, shrunk, index, count, places, numbers, batch, STRIDE,
                ADDED, END0, END1, MOST, IS_DOT, PRECISION,
            )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    if NORMED:
        if DEPTH > 0:  # not held over the loop: they would take many registers
            sums = load_squares(squares, batch, PARTS, BATCH)
        if DEPTH > 0 or SLICES > 0:
            scale = inverse_rms(sums, eps, K)
        acc *= scale
    acc *= multiplier
    if CAPPED:
        acc = cap * tanh(acc / cap)
    mask = is_last & (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :].to(tl.int64) * N + n[:, None], acc, mask=mask)


def project(
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    launch: LaunchConfig,
    norm: RowNorm | None = None,
    multiplier: float = 1.0,
    cap: float | None = None,
    added: LowRankRows | None = None,
) -> None:
    """Compute `x @ weight.T` in fp32, of rows divided by their rms where there is a norm.

    Args:
        x: [batch, in_features]; with a norm the residual stream times the norm's weight.
        weight: [out_features, in_features], dtype of `x`.
        out: [batch, out_features], fp32.
        launch: how to compute it.
        norm: what is left of the norm before.
        multiplier: factor of the result.
        cap: soft cap: results become cap * tanh(result / cap).
        added: what adapters add, after `shrink`.
    """
    batch, tiles, workspace = x.shape[0], launch.tiles, launch.workspace
    out_features = weight.shape[0]
    _project_kernel[(-(-out_features // tiles.rows), tiles.splits_of(x.shape[1]))](
        x,
        norm and norm.squares,
        weight,
        out,
        workspace.parts,
        workspace.counters,
        batch,
        0.0 if norm is None else norm.eps,
        multiplier,
        cap or 1.0,
        N=out_features,
        NORMED=norm is not None,
        CAPPED=cap is not None,
        PARTS=0 if norm is None else norm.squares.shape[0],
        **low_rank_arguments(added, tiles.uses_tensor_cores),
        **product_options(x, tiles, launch.dependent),
    )


@kernel(do_not_specialize=["batch"])
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
    multiplier,
    pool,
    entries,
    shrunk,
    index,
    count,
    places,
    numbers,
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
    STRIDE: tl.constexpr,
    ADDED: tl.constexpr,
    END0: tl.constexpr,
    END1: tl.constexpr,
    MOST: tl.constexpr,
    IS_DOT: tl.constexpr,
):
    tile, split = tl.program_id(0), tl.program_id(1)
    begin = split * LENGTH if SPLITS > 1 else 0
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    rows = tl.minimum(n, N - 1).to(tl.int64)
    held = hold(w, rows, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    factor = tl.load(norm + n, mask=n < N, other=0.0).to(tl.float32)
    LATE: tl.constexpr = ADDED > 0 and DEPTH > 0  # see `shrink`
    if not LATE:
        wait_and_signal(DEPENDENT, SIGNALS, DEPTH, SLICES)
    at = m[None, :] * N + n[:, None]
    inside = (n[:, None] < N) & (m[None, :] < batch)
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    if not LATE:
        before = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    acc = times_rows(
        held, first_row, w, rows, x, begin, batch, K, LENGTH, WIDTH, DEPTH, SLICES, BATCH, STAGES,
        PRECISION,
    )  # fmt: skip
    if LATE:
        wait_and_signal(DEPENDENT, SIGNALS, DEPTH, SLICES)
        before = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    if ADDED > 0:  # noqa: SIM102  known when it is compiled
        if split == 0:
            acc = add_low_rank(
                acc, rows, pool, entries, shrunk, index, count, places, numbers, batch, STRIDE,
                ADDED, END0, END1, MOST, IS_DOT, PRECISION,
            )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)

    stored = is_last & inside
    if HAS_BIAS:
        acc += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    total = (before + acc * multiplier).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=stored)
    wide = tl.where(stored, total.to(tl.float32), 0.0)
    tl.store(scaled + at, (wide * factor[:, None]).to(scaled.dtype.element_ty), mask=stored)
    sums = tl.sum(wide * wide, axis=0)  # [BATCH]
    tl.store(squares + tile * batch + m, sums, mask=is_last & (m < batch))


def project_and_add(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    addition: Addition,
    launch: LaunchConfig,
    added: LowRankRows | None = None,
) -> None:
    """Add `x @ weight.T + bias` to the residual stream.

    Args:
        x: [batch, in_features].
        weight: [hidden, in_features], dtype of `x`.
        bias: [hidden], or None.
        addition: to what; its sums of squares have ceil(hidden / launch.tiles.rows) parts.
        launch: how to compute it.
        added: what adapters add, after `shrink`.
    """
    batch, tiles, workspace = x.shape[0], launch.tiles, launch.workspace
    if added is not None:
        tiles = with_registers_left(tiles, x.shape[1])
    hidden = weight.shape[0]
    _project_and_add_kernel[(-(-hidden // tiles.rows), tiles.splits_of(x.shape[1]))](
        x,
        weight,
        bias,
        addition.residual,
        addition.norm,
        addition.scaled,
        addition.squares,
        workspace.parts,
        workspace.counters,
        batch,
        addition.multiplier,
        N=hidden,
        HAS_BIAS=bias is not None,
        **low_rank_arguments(added, tiles.uses_tensor_cores),
        **product_options(x, tiles, launch.dependent),
    )
