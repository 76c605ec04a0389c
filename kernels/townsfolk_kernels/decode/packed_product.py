"""Products of few rows with a packed weight: the parts that its decode kernels share.

As in `decode.product` the product is kept transposed, `acc` [rows of w, rows of x], and one row of
`x` has a way of its own, where a program holds its share of the weight in registers. More rows go
through a loop: packed bytes come through shared memory, become 16-bit numbers in the registers from
which tensor cores take them, and never lie in memory as such.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.packed_row import hold_packed, load_row, times_row
from townsfolk_kernels.gpu.units import load_unit, part_operand


@triton.jit
def _wait_and_signal(DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr, EARLY: tl.constexpr):
    if SIGNALS and EARLY:
        gdc_launch_dependents()
    if DEPENDENT:
        gdc_wait()
    if SIGNALS and not EARLY:
        gdc_launch_dependents()


@triton.jit
def _times_rows(
    x, w, table, n, split, batch,
    K: tl.constexpr, STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr,
    LAYOUT: tl.constexpr, SCALES: tl.constexpr, PER: tl.constexpr, BATCH: tl.constexpr,
    STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Return [rows, BATCH] fp32, over the share of the reduction that is `split`'s."""
    SHARE: tl.constexpr = (UNITS + SPLITS * PER - 1) // (SPLITS * PER) * PER
    RAGGED: tl.constexpr = SHARE * SPLITS != UNITS or K % UNIT != 0
    dtype: tl.constexpr = x.dtype.element_ty
    m, k = tl.arange(0, BATCH), tl.arange(0, 32)
    row = w + n.to(tl.int64) * STRIDE
    # Rows beyond the end read the last one again: cheaper than masks, and never stored.
    x_at = x + tl.minimum(m, batch - 1)[None, :] * K + k[:, None]
    acc = tl.zeros([n.shape[0], BATCH], dtype=tl.float32)
    begin = split * SHARE
    for done in tl.range(0, SHARE, PER, num_stages=STAGES):
        for step in tl.static_range(PER):
            unit = begin + done + step
            a, b, c, p, q, r, s = load_unit(row, unit, unit < UNITS, UNITS, LAYOUT, RAGGED)
            for i in tl.static_range(UNIT // 32):
                column = unit * UNIT + i * 32
                if RAGGED:
                    right = tl.load(x_at + column, mask=(column + k < K)[:, None], other=0.0)
                else:
                    right = tl.load(x_at + column)
                left = part_operand(a, b, c, p, q, r, s, i, LAYOUT, table, SCALES, dtype)
                acc = tl.dot(left, right, acc, input_precision=PRECISION)
    return acc


@triton.jit
def multiply(
    x, w, table, n, split, batch, before, before_mask,
    K: tl.constexpr, STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr,
    LAYOUT: tl.constexpr, SCALES: tl.constexpr, PER: tl.constexpr, BATCH: tl.constexpr,
    STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr, HAS_BEFORE: tl.constexpr,
):  # fmt: skip
    """Wait for the kernel before, and multiply rows `n` of `w` with `x` [batch, K].

    Args:
        x: activations.
        w: packed rows, of STRIDE bytes.
        table: see `part_values`.
        n: rows of the weight.
        split: which share of the reduction.
        batch: rows of `x`.
        before: what else to load after the wait, where HAS_BEFORE says so.
        before_mask: of that.
        K: columns.
        STRIDE: bytes of a packed row.
        UNITS: of a row.
        UNIT: columns of one.
        LAYOUT: the value of a `PackedLayout`.
        SCALES: dtype of the scales of CODE4.
        PER: units of one iteration; 0 for one row of `x` and a share in registers.
        BATCH: rows of `x` in a tile.
        STAGES: iterations whose loads are in flight.
        SPLITS: shares of the reduction.
        PRECISION: of the products of fp32.
        DEPENDENT: whether this kernel was launched before the one before has ended.
        SIGNALS: whether the next one may be, too.
        HAS_BEFORE: see `before`.

    Returns:
        The product, [rows, BATCH] fp32, undefined beyond `batch`, and what was loaded beside.
    """
    if PER == 0:
        WIDTH: tl.constexpr = triton.next_power_of_2(UNITS)
        a, b, h, s = hold_packed(w, n, STRIDE, UNITS, WIDTH, LAYOUT)
        _wait_and_signal(DEPENDENT, SIGNALS, True)
        held = load_row(x, UNITS, WIDTH, K, LAYOUT)
        extra = 0.0
        if HAS_BEFORE:
            extra = tl.load(before, mask=before_mask, other=0.0).to(tl.float32)
        acc = times_row(a, b, h, s, held, batch >> 30, x.dtype.element_ty, LAYOUT)[:, None]
    else:
        _wait_and_signal(DEPENDENT, SIGNALS, False)
        extra = 0.0
        if HAS_BEFORE:
            extra = tl.load(before, mask=before_mask, other=0.0).to(tl.float32)
        acc = _times_rows(
            x, w, table, n, split, batch, K, STRIDE, UNITS, UNIT, LAYOUT, SCALES, PER, BATCH,
            STAGES, SPLITS, PRECISION,
        )  # fmt: skip
    return acc, extra
