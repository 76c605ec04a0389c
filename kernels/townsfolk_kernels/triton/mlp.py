"""Decode: norm, fused gate and up projection, SwiGLU; and the projection onto the vocabulary."""

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
def _gate_up_kernel(
    x,
    squares,
    w,
    bias,
    out,
    batch,
    eps,
    N: tl.constexpr,
    K: tl.constexpr,
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
    first = tl.program_id(0) * ROWS
    w_up = w + N * K  # behind the gate's rows
    n = first + tl.arange(0, ROWS)
    if DEPTH == 0:
        gate_tile = load_tile(w, first, N, K, ROWS, WIDTH)
        up_tile = load_tile(w_up, first, N, K, ROWS, WIDTH)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    if DEPTH == 0:
        first_row = load_row(x, 0, batch, K, WIDTH)
    scale = inverse_rms(squares, batch, eps, PARTS, K, BATCH)[None, :]
    if DEPTH == 0:
        gate = tile_times_rows(gate_tile, first_row, x, batch, K, ROWS, WIDTH, BATCH)
        up = tile_times_rows(up_tile, first_row, x, batch, K, ROWS, WIDTH, BATCH)
    else:
        last = tl.minimum(n, N - 1).to(tl.int64)
        m = tl.minimum(tl.arange(0, BATCH), batch - 1)
        k = tl.arange(0, DEPTH)
        gate_at = w + last[:, None] * K + k[None, :]
        x_at = x + m[None, :] * K + k[:, None]
        gate = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        up = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        for done in tl.range(0, K, DEPTH, num_stages=STAGES):
            if K % DEPTH == 0:
                right = tl.load(x_at + done)
                gate = tl.dot(tl.load(gate_at + done), right, gate, input_precision=PRECISION)
                left = tl.load(gate_at + (N * K + done))
                up = tl.dot(left, right, up, input_precision=PRECISION)
            else:
                inside = k + done < K
                right = tl.load(x_at + done, mask=inside[:, None], other=0.0)
                left = tl.load(gate_at + done, mask=inside[None, :], other=0.0)
                gate = tl.dot(left, right, gate, input_precision=PRECISION)
                left = tl.load(gate_at + (N * K + done), mask=inside[None, :], other=0.0)
                up = tl.dot(left, right, up, input_precision=PRECISION)
    gate *= scale
    up *= scale
    if HAS_BIAS:
        gate += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
        up += tl.load(bias + N + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    m = tl.arange(0, BATCH)
    result = gate * tl.sigmoid(gate) * up
    mask = (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :] * N + n[:, None], result.to(out.dtype.element_ty), mask=mask)


def gate_up_swiglu(
    x: Tensor,
    squares: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    eps: float,
    out: Tensor,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """`silu(gate) * up` of the normalised residual stream.

    Args:
        x: [batch, hidden], as `qkv_rope_store` takes it.
        squares: [parts, batch], fp32, likewise.
        weight: [2 * intermediate, hidden], dtype of `x`: the gate's rows, then those of up.
        bias: [2 * intermediate], or None.
        eps: of the norm.
        out: [batch, intermediate], dtype of `x`.
        tiles: how to compute it; no splits.
        dependent: launch by programmatic dependent launch.
    """
    batch, hidden = x.shape
    intermediate = out.shape[1]
    _gate_up_kernel[(-(-intermediate // tiles.rows),)](
        x,
        squares,
        weight,
        bias,
        out,
        batch,
        eps,
        N=intermediate,
        K=hidden,
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


@triton.jit(do_not_specialize=["batch"])
def _head_kernel(
    x,
    squares,
    w,
    out,
    batch,
    eps,
    N: tl.constexpr,
    K: tl.constexpr,
    PARTS: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    first = tl.program_id(0) * ROWS
    n, m = first + tl.arange(0, ROWS), tl.arange(0, BATCH)
    if DEPTH == 0:
        tile = load_tile(w, first, N, K, ROWS, WIDTH)
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
    mask = (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :].to(tl.int64) * N + n[:, None], acc, mask=mask)


def vocabulary_logits(
    x: Tensor,
    squares: Tensor,
    weight: Tensor,
    eps: float,
    out: Tensor,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """Logits of the normalised residual stream.

    Args:
        x: [batch, hidden], as `qkv_rope_store` takes it.
        squares: [parts, batch], fp32, likewise.
        weight: [vocab, hidden], dtype of `x`.
        eps: of the norm.
        out: [batch, vocab], fp32.
        tiles: how to compute it; no splits.
        dependent: launch by programmatic dependent launch.
    """
    batch, hidden = x.shape
    vocab = weight.shape[0]
    _head_kernel[(-(-vocab // tiles.rows),)](
        x,
        squares,
        weight,
        out,
        batch,
        eps,
        N=vocab,
        K=hidden,
        PARTS=squares.shape[0],
        ROWS=tiles.rows,
        DEPTH=tiles.depth,
        WIDTH=power_of_two(hidden),
        BATCH=batch_tile(batch, tiles),
        STAGES=tiles.stages,
        PRECISION=precision(x),
        DEPENDENT=dependent,
        **options(tiles.warps, tiles.stages, dependent),
    )
