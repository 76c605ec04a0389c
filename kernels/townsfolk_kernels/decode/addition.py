"""Decode: a block's output, normalised where the model does so, joins the residual stream."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.operands import Addition
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two


@kernel
def _add_kernel(
    x,
    after,
    residual,
    norm,
    scaled,
    squares,
    eps,
    multiplier,
    HIDDEN: tl.constexpr,
    WIDTH: tl.constexpr,
    NORMED: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, WIDTH)
    inside = column < HIDDEN
    factor = tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
    if NORMED:
        weight = tl.load(after + column, mask=inside, other=0.0).to(tl.float32)
    if DEPENDENT:
        gdc_wait()
    if SIGNALS:
        gdc_launch_dependents()
    at = row * HIDDEN + column
    values = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    before = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    if NORMED:
        values *= tl.rsqrt(tl.sum(values * values, axis=0) / HIDDEN + eps) * weight
    total = (before + values * multiplier).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=inside)
    wide = total.to(tl.float32)
    tl.store(scaled + at, (wide * factor).to(scaled.dtype.element_ty), mask=inside)
    tl.store(squares + row, tl.sum(wide * wide, axis=0))


def add_rows(
    x: Tensor, after: Tensor | None, eps: float, addition: Addition, dependent: bool
) -> None:
    """Add a block's output to the residual stream.

    Args:
        x: [batch, hidden], fp32 or the dtype of activations.
        after: [hidden], the weight of the RMSNorm of the output itself; None for none.
        eps: of that norm.
        addition: to what; there is one part of sums of squares.
        dependent: launch by programmatic dependent launch.
    """
    batch, hidden = x.shape
    width = power_of_two(hidden)
    _add_kernel[(batch,)](
        x,
        after,
        addition.residual,
        addition.norm,
        addition.scaled,
        addition.squares,
        eps,
        addition.multiplier,
        HIDDEN=hidden,
        WIDTH=width,
        NORMED=after is not None,
        DEPENDENT=dependent,
        SIGNALS=card_of(x.device).has_dependent_launch,
        **options(min(max(width // 256, 1), 16), dependent=dependent),
    )
