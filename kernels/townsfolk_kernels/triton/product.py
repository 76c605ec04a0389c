"""Products of few rows with a weight: the parts that the decode kernels share.

Decoding reads every weight once for a handful of rows, so the kernels stream rows of the weight
`w` [N, K] and keep the product transposed, `acc` [rows of w, rows of x]. One row of activations is
multiplied and summed in registers, where the whole tile of the weight is loaded before the kernel
before has ended. More rows use tensor cores, with the weight as the left operand, so that few rows
fill the narrow side.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load_tile(w, first, N: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """[ROWS, WIDTH]: the rows of `w` from `first` on, whole; zero beyond K."""
    n = tl.minimum(first + tl.arange(0, ROWS), N - 1).to(tl.int64)
    k = tl.arange(0, WIDTH)
    at = w + n[:, None] * K + k[None, :]
    if WIDTH == K:
        return tl.load(at, eviction_policy="evict_first")
    return tl.load(at, mask=k[None, :] < K, other=0.0, eviction_policy="evict_first")


@triton.jit
def load_row(x, row, batch, K: tl.constexpr, WIDTH: tl.constexpr):
    """[WIDTH]: row `row` of `x` [batch, K], or the last one; zero beyond K."""
    k = tl.arange(0, WIDTH)
    return tl.load(x + tl.minimum(row, batch - 1) * K + k, mask=k < K, other=0.0)


@triton.jit
def tile_times_rows(
    tile,
    first_row,
    x,
    batch,
    K: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    BATCH: tl.constexpr,
):
    """[ROWS, BATCH] fp32: a tile from `load_tile` times rows of `x` [batch, K].

    The first row is loaded before, so that what else a kernel waits for is loaded beside it.
    """
    m = tl.arange(0, BATCH)
    wide = tile.to(tl.float32)
    acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
    for row in tl.static_range(BATCH):
        values = first_row if row == 0 else load_row(x, row, batch, K, WIDTH)
        total = tl.sum(wide * values.to(tl.float32)[None, :], axis=1)  # [ROWS]
        acc += tl.where(m[None, :] == row, total[:, None], 0.0)
    return acc


@triton.jit
def rows_times_rows(
    w,
    x,
    first,
    begin,
    batch,
    N: tl.constexpr,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """[ROWS, BATCH] fp32 on tensor cores: `LENGTH` columns from `begin` on of `w` and `x`."""
    # Rows beyond the end read the last one again: cheaper than masks, and never stored.
    n = tl.minimum(first + tl.arange(0, ROWS), N - 1).to(tl.int64)
    m = tl.minimum(tl.arange(0, BATCH), batch - 1)
    k = begin + tl.arange(0, DEPTH)
    w_at = w + n[:, None] * K + k[None, :]
    x_at = x + m[None, :] * K + k[:, None]
    acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
    for done in tl.range(0, LENGTH, DEPTH, num_stages=STAGES):
        if LENGTH % DEPTH == 0 and K % LENGTH == 0:
            left = tl.load(w_at + done)
            right = tl.load(x_at + done)
        else:
            inside = (done + tl.arange(0, DEPTH) < LENGTH) & (k + done < K)
            left = tl.load(w_at + done, mask=inside[None, :], other=0.0)
            right = tl.load(x_at + done, mask=inside[:, None], other=0.0)
        acc = tl.dot(left, right, acc, input_precision=PRECISION)
    return acc


@triton.jit
def inverse_rms(squares, batch, eps, PARTS: tl.constexpr, WIDTH: tl.constexpr, BATCH: tl.constexpr):
    """[BATCH] fp32: 1 / rms of each row, from sums of squares [PARTS, batch] over WIDTH values."""
    PADDED: tl.constexpr = triton.next_power_of_2(PARTS)
    p = tl.arange(0, PADDED)
    m = tl.minimum(tl.arange(0, BATCH), batch - 1)
    sums = tl.load(squares + p[:, None] * batch + m[None, :], mask=p[:, None] < PARTS, other=0.0)
    return tl.rsqrt(tl.sum(sums, axis=0) / WIDTH + eps)


@triton.jit
def sum_of_splits(
    acc,
    workspace,
    counters,
    tile,
    split,
    SPLITS: tl.constexpr,
    ROWS: tl.constexpr,
    BATCH: tl.constexpr,
):
    """Adds up what the programs of one tile have, in their order.

    Returns the sum, which only the program that came last has, and whether this is the one. The
    counter is zero before and after.
    """
    if SPLITS == 1:
        return acc, tile >= 0
    offsets = tl.arange(0, ROWS)[:, None] * BATCH + tl.arange(0, BATCH)[None, :]
    parts = workspace + tile.to(tl.int64) * (SPLITS * ROWS * BATCH) + offsets
    tl.store(parts + split * (ROWS * BATCH), acc)
    tl.debug_barrier()  # all threads have stored before one of them says so
    is_last = tl.atomic_add(counters + tile, 1, sem="acq_rel") == SPLITS - 1
    if is_last:
        acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        for number in range(SPLITS):
            acc += tl.load(parts + number * (ROWS * BATCH), cache_modifier=".cg")
        tl.store(counters + tile, 0)
    return acc, is_last
