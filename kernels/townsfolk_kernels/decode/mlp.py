"""Decode: norm, fused gate and up projection, activation of the gate."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.low_rank import LowRankRows, add_low_rank, low_rank_arguments
from townsfolk_kernels.decode.operands import LaunchConfig, RowNorm
from townsfolk_kernels.decode.product import (
    hold,
    inverse_rms,
    load_first,
    load_squares,
    sum_of_splits,
    times_rows,
    wait_and_signal,
)
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import product_options
from townsfolk_kernels.ops.activation import Activation


@triton.jit
def activated(gate, ACTIVATION: tl.constexpr):
    """Return the gate by its activation, fp32; `ACTIVATION` is the value of an `Activation`."""
    if ACTIVATION == "silu":
        result = gate * tl.sigmoid(gate)
    elif ACTIVATION == "gelu_tanh":
        # 1 + tanh(y) is 2 sigmoid(2 y); y = sqrt(2 / pi) * (x + 0.044715 x^3)
        result = gate * tl.sigmoid(1.5957691216057308 * (gate + 0.044715 * gate * gate * gate))
    else:
        tl.static_assert(ACTIVATION == "gelu")
        result = 0.5 * gate * (1.0 + tl.erf(gate * 0.7071067811865476))
    return result


@kernel(do_not_specialize=["batch"])
def _gate_up_kernel(
    x,
    squares,
    w,
    bias,
    out,
    parts,
    counters,
    batch,
    eps,
    pool,
    entries,
    shrunk,
    index,
    count,
    places,
    numbers,
    N: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    ACTIVATION: tl.constexpr,
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
    # Rows of the gate, then as many of up, which lie N rows behind.
    r = tl.arange(0, 2 * ROWS)
    inner = tl.minimum(tile * ROWS + r % ROWS, N - 1)
    rows = (inner + r // ROWS * N).to(tl.int64)
    held = hold(w, rows, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    LATE: tl.constexpr = ADDED > 0 and DEPTH > 0  # see `shrink`
    if not LATE:
        wait_and_signal(DEPENDENT, SIGNALS, DEPTH, SLICES)
    first_row = load_first(x, begin, K, LENGTH, WIDTH, DEPTH, SLICES)
    if DEPTH == 0:
        sums = load_squares(squares, batch, PARTS, BATCH)
    if DEPTH == 0 and SLICES == 0:  # at once, for they take registers that the product needs
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
    if DEPTH > 0:  # not held over the loop: they would take many registers
        sums = load_squares(squares, batch, PARTS, BATCH)
    if DEPTH > 0 or SLICES > 0:
        scale = inverse_rms(sums, eps, K)
    acc *= scale
    if HAS_BIAS:
        acc += tl.load(bias + rows).to(tl.float32)[:, None]
    gate, up = tl.split(tl.permute(tl.reshape(acc, [2, ROWS, BATCH]), (1, 2, 0)))
    result = activated(gate, ACTIVATION) * up
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    mask = is_last & (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :] * N + n[:, None], result.to(out.dtype.element_ty), mask=mask)


def gate_up(
    x: Tensor,
    norm: RowNorm,
    weight: Tensor,
    bias: Tensor | None,
    activation: Activation,
    out: Tensor,
    launch: LaunchConfig,
    added: LowRankRows | None = None,
) -> None:
    """Compute `activation(gate) * up` of the normalised residual stream.

    Args:
        x: [batch, hidden], the residual stream times the norm's weight, not yet divided by its rms.
        norm: what is left of the norm.
        weight: [2 * width, hidden], dtype of `x`: the gate's rows, then those of up.
        bias: [2 * width], or None.
        activation: of the gate: SILU, GELU or GELU_TANH.
        out: [batch, width], dtype of `x`.
        launch: how to compute it.
        added: what adapters add, after `shrink`.
    """
    batch, tiles, workspace = x.shape[0], launch.tiles, launch.workspace
    width = out.shape[1]
    _gate_up_kernel[(-(-width // tiles.rows), tiles.splits_of(x.shape[1]))](
        x,
        norm.squares,
        weight,
        bias,
        out,
        workspace.parts,
        workspace.counters,
        batch,
        norm.eps,
        N=width,
        PARTS=norm.squares.shape[0],
        HAS_BIAS=bias is not None,
        ACTIVATION=activation.value,
        **low_rank_arguments(added, tiles.uses_tensor_cores),
        **product_options(x, tiles, launch.dependent),
    )
