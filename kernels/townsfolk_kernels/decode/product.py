"""Products of few rows with a weight: the parts that the decode kernels share.

Decoding reads every weight once for a handful of rows, so the kernels stream rows of the weight
`w` [N, K] and keep the product transposed, `acc` [rows of w, rows of x]. There are three ways:

- *in registers*: a program loads its whole tile of the weight before the kernel before has ended,
  then multiplies and sums. For a row or two.
- *by slices*: likewise, but the tile is cut along the reduction into a slice for each warp, which
  tensor cores multiply; the sum over slices comes last. For up to 16 rows, where all programs fit
  on the device at once: each waits for all its loads.
- *in a loop*: tensor cores, pipelined through shared memory. For more rows, where a program has to
  take many rows of the weight, lest it read `x` more often than the weight.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def tanh(x):
    """Return the hyperbolic tangent."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def _in_share(column, begin, K: tl.constexpr, LENGTH: tl.constexpr):
    """Return whether columns, counted from `begin`, belong to a program and the weight."""
    return (column < LENGTH) & (begin + column < K)


@triton.jit
def _load_held(at, k, begin, K: tl.constexpr, LENGTH: tl.constexpr, WIDTH: tl.constexpr):
    """Return a tile of the weight, with zeros beyond a program's share."""
    if WIDTH == LENGTH and K % LENGTH == 0:
        held = tl.load(at, eviction_policy="evict_first")
    else:
        inside = _in_share(k, begin, K, LENGTH)
        held = tl.load(at, mask=inside, other=0.0, eviction_policy="evict_first")
    return held


@triton.jit
def hold(
    w,
    n,
    begin,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    DEPTH: tl.constexpr,
    SLICES: tl.constexpr,
):
    """Load what a program can of rows `n` of `w` before it waits; 0 where that is nothing."""
    if DEPTH == 0 and SLICES == 0:
        k = tl.arange(0, WIDTH)[None, :]
        at = w + n[:, None] * K + (begin + k)
        held = _load_held(at, k, begin, K, LENGTH, WIDTH)
    elif DEPTH == 0:
        PART: tl.constexpr = WIDTH // SLICES
        k = tl.arange(0, SLICES)[:, None, None] * PART + tl.arange(0, PART)[None, None, :]
        at = w + n[None, :, None] * K + (begin + k)
        held = _load_held(at, k, begin, K, LENGTH, WIDTH)
    else:
        held = 0
    return held


@triton.jit
def wait_and_signal(
    DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr, DEPTH: tl.constexpr, SLICES: tl.constexpr
):
    """Wait for the kernel before to end, and let the next one start.

    Programs that hold their weights in registers let it start first: while they wait, there is room
    for its weights (0.713 ms a step instead of 0.726; Llama-3.2-1B, one row, H200).
    """
    if SIGNALS and DEPTH == 0 and SLICES == 0:
        gdc_launch_dependents()
    if DEPENDENT:
        gdc_wait()
    if SIGNALS and (DEPTH > 0 or SLICES > 0):
        gdc_launch_dependents()


@triton.jit
def load_first(
    x,
    begin,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    DEPTH: tl.constexpr,
    SLICES: tl.constexpr,
):
    """Load the first row of `x` for `times_rows`, so that it comes beside other loads."""
    if DEPTH == 0 and SLICES == 0:
        k = tl.arange(0, WIDTH)
        if WIDTH == LENGTH and K % LENGTH == 0:
            first = tl.load(x + (begin + k))
        else:
            first = tl.load(x + (begin + k), mask=_in_share(k, begin, K, LENGTH), other=0.0)
    else:
        first = 0
    return first


@triton.jit
def times_rows(
    held,
    first,
    w,
    n,
    x,
    begin,
    batch,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    DEPTH: tl.constexpr,
    SLICES: tl.constexpr,
    BATCH: tl.constexpr,
    STAGES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Multiply rows `n` of `w` with `x` [batch, K], over `LENGTH` columns: [rows, BATCH] fp32.

    `held` comes from `hold`, `first` from `load_first`. Rows of the result beyond `batch` are
    undefined.
    """
    ROWS: tl.constexpr = n.shape[0]
    m = tl.arange(0, BATCH)
    if DEPTH == 0 and SLICES == 0:
        k = tl.arange(0, WIDTH)
        wide = held.to(tl.float32)
        acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        for row in tl.static_range(BATCH):
            at = x + tl.minimum(row, batch - 1) * K + (begin + k)
            if row == 0:
                values = first
            elif WIDTH == LENGTH and K % LENGTH == 0:
                values = tl.load(at)
            else:
                values = tl.load(at, mask=_in_share(k, begin, K, LENGTH), other=0.0)
            total = tl.sum(wide * values.to(tl.float32)[None, :], axis=1)  # [ROWS]
            acc += tl.where(m[None, :] == row, total[:, None], 0.0)
    elif DEPTH == 0:
        PART: tl.constexpr = WIDTH // SLICES
        k = tl.arange(0, SLICES)[:, None, None] * PART + tl.arange(0, PART)[None, :, None]
        at = x + m[None, None, :] * K + (begin + k)
        inside = m[None, None, :] < batch
        if WIDTH != LENGTH or K % LENGTH != 0:
            inside = inside & _in_share(k, begin, K, LENGTH)
        right = tl.load(at, mask=inside, other=0.0)  # [SLICES, PART, BATCH]
        acc = tl.sum(tl.dot(held, right, input_precision=PRECISION), axis=0)
    else:
        # Rows beyond the end read the last one again: cheaper than masks, and never stored.
        k = tl.arange(0, DEPTH)
        w_at = w + n[:, None] * K + (begin + k)[None, :]
        x_at = x + tl.minimum(m, batch - 1)[None, :] * K + (begin + k)[:, None]
        acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        for done in tl.range(0, LENGTH, DEPTH, num_stages=STAGES):
            if K % LENGTH == 0:
                left = tl.load(w_at + done)
                right = tl.load(x_at + done)
            else:
                inside = _in_share(done + k, begin, K, LENGTH)
                left = tl.load(w_at + done, mask=inside[None, :], other=0.0)
                right = tl.load(x_at + done, mask=inside[:, None], other=0.0)
            acc = tl.dot(left, right, acc, input_precision=PRECISION)
    return acc


@triton.jit
def load_squares(squares, batch, PARTS: tl.constexpr, BATCH: tl.constexpr):
    """Load sums of squares [PARTS, batch] of rows of `x`, padded to powers of two, fp32."""
    p = tl.arange(0, triton.next_power_of_2(PARTS))
    m = tl.minimum(tl.arange(0, BATCH), batch - 1)
    return tl.load(squares + p[:, None] * batch + m[None, :], mask=p[:, None] < PARTS, other=0.0)


@triton.jit
def inverse_rms(sums, eps, K: tl.constexpr):
    """Return [1, BATCH] fp32: 1 / rms of each row of K values, from what `load_squares` gave."""
    return tl.rsqrt(tl.sum(sums, axis=0) / K + eps)[None, :]


@triton.jit
def sum_of_splits(acc, parts, counters, tile, split, SPLITS: tl.constexpr):
    """Add up what the programs of one tile have, in their order.

    Returns the sum, which only the program that came last has, and whether this is the one. The
    counter is zero before and after.
    """
    if SPLITS == 1:
        return acc, tile >= 0
    ROWS: tl.constexpr = acc.shape[0]
    BATCH: tl.constexpr = acc.shape[1]
    offsets = tl.arange(0, ROWS)[:, None] * BATCH + tl.arange(0, BATCH)[None, :]
    own = parts + tile.to(tl.int64) * (SPLITS * ROWS * BATCH) + offsets
    tl.store(own + split * (ROWS * BATCH), acc)
    tl.debug_barrier()  # all threads have stored before one of them says so
    is_last = tl.atomic_add(counters + tile, 1, sem="acq_rel") == SPLITS - 1
    if is_last:
        acc = tl.zeros([ROWS, BATCH], dtype=tl.float32)
        for number in tl.static_range(SPLITS):
            acc += tl.load(own + number * (ROWS * BATCH), cache_modifier=".cg")
        tl.store(counters + tile, 0)
    return acc, is_last
