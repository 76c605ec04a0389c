"""Products of few rows with a packed weight: the parts that its decode kernels share.

As in `decode.product` the product is kept transposed, `acc` [rows of w, rows of x], and one row of
`x` has a way of its own, in fixed point; see `decode.fixed_row`. More rows go through a loop:
packed bytes come through shared memory, become 16-bit numbers in the registers from which tensor
cores take them, and never lie in memory as such.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.fixed_row import fixed_row, times_fixed_row
from townsfolk_kernels.decode.packed_row import hold_packed, load_row
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
def _rows(first, begin, COUNT: tl.constexpr, HALF: tl.constexpr, LAST: tl.constexpr):
    """Return rows of a program's tile: HALF from `first` on, then as many LAST + 1 behind those."""
    r = begin + tl.arange(0, COUNT)
    return tl.minimum(first + r % HALF, LAST) + r // HALF * (LAST + 1)


@triton.jit
def multiply(
    x, w, table, first, split, batch, before, before_mask,
    ROWS: tl.constexpr, HALF: tl.constexpr, LAST: tl.constexpr,
    K: tl.constexpr, STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr,
    LAYOUT: tl.constexpr, SCALES: tl.constexpr, PER: tl.constexpr, BATCH: tl.constexpr,
    STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr, HAS_BEFORE: tl.constexpr,
):  # fmt: skip
    """Wait for the kernel before, and multiply a tile of rows of `w` with `x` [batch, K].

    Args:
        x: activations.
        w: packed rows, of STRIDE bytes.
        table: see `part_values`.
        first: row of the weight.
        split: which share of the reduction.
        batch: rows of `x`.
        before: what else to load after the wait, where HAS_BEFORE says so.
        before_mask: of that.
        ROWS: of a program's tile.
        HALF: so many neighbouring ones, then as many of the up projection.
        LAST: row of the weight, or of its gate.
        K: columns.
        STRIDE: bytes of a packed row.
        UNITS: of a row.
        UNIT: columns of one.
        LAYOUT: the value of a `PackedLayout`.
        SCALES: dtype of the scales of CODE4.
        PER: units of one iteration; 0 for one row of `x` in fixed point.
        BATCH: rows of `x` in a tile.
        STAGES: iterations whose loads are in flight; blocks of the tile's rows where PER is 0.
        SPLITS: shares of the reduction.
        PRECISION: of the products of fp32.
        DEPENDENT: whether this kernel was launched before the one before has ended.
        SIGNALS: whether the next one may be, too.
        HAS_BEFORE: see `before`.

    Returns:
        The product, [rows, BATCH] fp32, undefined beyond `batch`, and what was loaded beside.
    """
    if PER == 0:
        EACH: tl.constexpr = ROWS // STAGES
        tl.static_assert(EACH * STAGES == ROWS)
        WIDTH: tl.constexpr = triton.next_power_of_2(UNITS)
        dtype: tl.constexpr = x.dtype.element_ty
        rows = _rows(first, 0, EACH, HALF, LAST)
        a, b, h, s = hold_packed(w, rows, STRIDE, UNITS, WIDTH, LAYOUT)
        _wait_and_signal(DEPENDENT, SIGNALS, True)
        held = load_row(x, UNITS, WIDTH, K, LAYOUT)
        extra = 0.0
        if HAS_BEFORE:
            extra = tl.load(before, mask=before_mask, other=0.0).to(tl.float32)
        row = fixed_row(held, EACH, dtype, LAYOUT)
        if STAGES == 1:
            acc = tl.sum(times_fixed_row(a, b, h, s, row, LAYOUT), axis=1)[:, None]
        else:
            number = tl.arange(0, STAGES)[:, None, None]
            sums = tl.zeros([STAGES, EACH, row[0].shape[1]], dtype=tl.float32)
            # The next rows' bytes are on their way while those before are multiplied.
            for block in tl.range(0, STAGES, num_stages=1):
                after = tl.minimum(block + 1, STAGES - 1) * EACH
                rows = _rows(first, after, EACH, HALF, LAST)
                a2, b2, h2, s2 = hold_packed(w, rows, STRIDE, UNITS, WIDTH, LAYOUT)
                total = times_fixed_row(a, b, h, s, row, LAYOUT)
                sums = tl.where(number == block, total[None, :, :], sums)
                a, b, h, s = a2, b2, h2, s2
            acc = tl.reshape(tl.sum(sums, axis=2), [ROWS, 1])
    else:
        _wait_and_signal(DEPENDENT, SIGNALS, False)
        extra = 0.0
        if HAS_BEFORE:
            extra = tl.load(before, mask=before_mask, other=0.0).to(tl.float32)
        acc = _times_rows(
            x, w, table, _rows(first, 0, ROWS, HALF, LAST), split, batch, K, STRIDE, UNITS, UNIT,
            LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION,
        )  # fmt: skip
    return acc, extra
