"""The projections of a decoder's layers, as adapters see them."""

from __future__ import annotations

from dataclasses import dataclass

from townsfolk.models.adapters import BoundAdapter
from townsfolk.models.spec import DecoderSpec

UNIT = 16
"""Ranks that compiled code takes together."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A weight that adapters change.

    Attributes:
        columns: of the weight.
        ends: one past the last row of each part that is a module of its own.
    """

    columns: int
    ends: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of the weight."""
        return self.ends[-1]

    def elements(self, rank: int) -> int:
        """Return the elements that an adapter of some padded rank takes, a multiple of 16."""
        return rank * len(self.ends) * self.columns + self.rows * rank


def padded_ranks(adapter: BoundAdapter) -> list[int]:
    """Return an adapter's rank in each projection of the layers, up to a multiple of 16."""
    ranks = [0 if each is None else each.rank for each in adapter.updates[:-1]]
    return [-(-rank // UNIT) * UNIT for rank in ranks]


def padded_elements(adapter: BoundAdapter, spec: DecoderSpec) -> int:
    """Return how many numbers an adapter takes, with ranks of a multiple of 16."""
    pairs = zip(projections_of(spec), padded_ranks(adapter), strict=True)
    return sum(shape.elements(rank) for shape, rank in pairs)


def projections_of(spec: DecoderSpec) -> list[Projection]:
    """Return the projections of a decoder's layers, in the order of `DecoderWeights`."""
    found = []
    for layer in spec.layers:
        queries, keys = layer.attention.query_width, layer.attention.kv_width
        hidden, width = spec.hidden_size, layer.mlp.width
        qkv = (queries, queries + keys, queries + 2 * keys)
        found.append(Projection(hidden, qkv))
        found.append(Projection(queries, (hidden,)))
        found.append(Projection(hidden, (width, 2 * width) if layer.mlp.gated else (width,)))
        found.append(Projection(width, (hidden,)))
    return found
