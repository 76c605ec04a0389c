"""Decode: the embedding of the tokens drawn last, ready for the first norm."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents

from townsfolk_kernels.decode.operands import Addition
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two


@kernel
def _embed_kernel(
    rows,
    drawn,
    table,
    norm,
    residual,
    scaled,
    squares,
    step,
    multiplier,
    HIDDEN: tl.constexpr,
    WIDTH: tl.constexpr,
    COUNTS: tl.constexpr,
    SIGNALS: tl.constexpr,
):
    if SIGNALS:
        gdc_launch_dependents()
    if COUNTS:
        tl.store(step, tl.load(step) + 1)
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    token = tl.load(drawn + row, mask=row >= 0, other=0).to(tl.int64)
    column = tl.arange(0, WIDTH)
    inside = column < HIDDEN
    values = tl.load(table + token * HIDDEN + column, mask=inside, other=0.0)
    values = (values.to(tl.float32) * multiplier).to(residual.dtype.element_ty)
    tl.store(residual + place * HIDDEN + column, values, mask=inside)
    wide = values.to(tl.float32)
    factor = tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
    result = (wide * factor).to(scaled.dtype.element_ty)
    tl.store(scaled + place * HIDDEN + column, result, mask=inside)
    tl.store(squares + place, tl.sum(wide * wide, axis=0))


def embed_drawn(
    rows: Tensor,
    drawn: Tensor,
    table: Tensor,
    start: Addition,
    step: Tensor | None = None,
) -> None:
    """Begin a step: the residual stream, and what the first projection wants of it.

    Args:
        rows: [batch], int32: rows of `drawn`; below 0 for a place that is not used.
        drawn: [max_rows], int32: the token to embed for each row.
        table: [vocab, hidden], the embedding.
        start: the stream, which becomes the embeddings times the multiplier, whatever it was; and
            the first norm. There is one part of sums of squares.
        step: [1], int32: of a batch of one, becomes larger by one.
    """
    hidden = table.shape[1]
    width = power_of_two(hidden)
    _embed_kernel[(rows.shape[0],)](
        rows,
        drawn,
        table,
        start.norm,
        start.residual,
        start.scaled,
        start.squares,
        step,
        start.multiplier,
        HIDDEN=hidden,
        WIDTH=width,
        COUNTS=step is not None,
        SIGNALS=card_of(table.device).has_dependent_launch,
        **options(min(max(width // 512, 1), 16)),
    )
