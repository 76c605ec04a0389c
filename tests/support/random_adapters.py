"""Random adapters in the layout of a decoder, and who of a batch has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk.models import Decoder
from townsfolk.models.adapters import BoundAdapter, RowAdapters
from townsfolk.models.projections import projections_of
from townsfolk_kernels.ops.low_rank import LowRankPart, LowRankUpdate


def random_adapter(decoder: Decoder, rank: int, *, only: int | None = None) -> BoundAdapter:
    """An adapter in fp32 on the host, large enough to show.

    Args:
        decoder: whose projections it changes.
        rank: of the first part of each; of the others half as much.
        only: the one projection of each layer that it changes; all if not given.
    """
    updates: list[LowRankUpdate | None] = []
    for number, shape in enumerate(projections_of(decoder.spec)):
        if only is not None and number % 4 != only:
            updates.append(None)
            continue
        parts, start = [], 0
        for place, end in enumerate(shape.ends):
            own = rank if place == 0 else max(rank // 2, 1)
            a = torch.randn(own, shape.columns) * shape.columns**-0.5
            b = torch.randn(end - start, own) * own**-0.5 * 0.05
            parts.append(LowRankPart(start, a, b))
            start = end
        updates.append(LowRankUpdate(parts))
    return BoundAdapter((*updates, None))


def row_adapters(
    decoder: Decoder,
    adapters: Sequence[BoundAdapter],
    chosen: Sequence[int],
    dtype: torch.dtype | None = None,
) -> RowAdapters:
    """Adapters of the rows of a batch, row by row; below 0 for none.

    Each is rounded to a dtype, if not given that of activations, as on a GPU.
    """
    groups: list[tuple[dict[int, LowRankUpdate], Tensor]] = []
    for number, adapter in enumerate(adapters):
        rows = [row for row, own in enumerate(chosen) if own == number]
        if rows:
            rounded = adapter.to(decoder.device, dtype or decoder.dtype)
            updates = dict(rounded.of(decoder.weights))
            groups.append((updates, torch.tensor(rows, device=decoder.device)))
    return RowAdapters(groups)
