"""Adapters in the layout of a decoder's weights: merged into them, or added to rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from townsfolk_kernels import LinearWeight, pack_linear, plain_parts
from townsfolk_kernels.ops.embedding import Table
from townsfolk_kernels.ops.linear import PlainWeight
from townsfolk_kernels.ops.low_rank import AdaptedWeight, LowRankPart, LowRankUpdate
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.checkpoint import Adapter, AdapterError
from townsfolk.checkpoint.store import listed
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec, WeightSource, is_roomy

_HOST = torch.device("cpu")
_NOTHING = torch.empty(0, device="meta")


@dataclass(frozen=True, slots=True, eq=False)
class BoundAdapter:
    """An adapter in the layout of one decoder.

    Attributes:
        updates: what is added to each of `DecoderWeights.projections`, in that order.
    """

    updates: tuple[LowRankUpdate | None, ...]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(update.nbytes for update in self.updates if update is not None)

    def to(self, device: torch.device, dtype: torch.dtype) -> BoundAdapter:
        """Return it elsewhere, or in another dtype."""
        return BoundAdapter(
            tuple(None if each is None else each.to(device, dtype) for each in self.updates)
        )

    def of(self, weights: DecoderWeights) -> ProjectionUpdates:
        """Return what is added to each of a decoder's projections, by the weight's `id`."""
        pairs = zip(weights.projections, self.updates, strict=True)
        return {id(weight): update for weight, update in pairs if update is not None}


ProjectionUpdates = Mapping[int, LowRankUpdate]


class BatchAdapters(Protocol):
    """Adapters of a batch's rows."""

    def add(self, x: Tensor, weight: LinearWeight, out: Tensor) -> None:
        """See `RowAdapters`."""


class RowAdapters:
    """Adapters of some rows of a batch, each of one row at most."""

    __slots__ = ("_groups",)

    def __init__(self, groups: Sequence[tuple[ProjectionUpdates, slice | Tensor]]) -> None:
        """Take each adapter's updates, and which rows have it: as a slice, or by number."""
        self._groups = groups

    def add(self, x: Tensor, weight: LinearWeight, out: Tensor) -> None:
        """Add to a product of the batch what the adapters of its rows change.

        Args:
            x: [rows, in_features].
            weight: what they were multiplied with, a projection of the decoder.
            out: [rows, out_features]; changed in place.
        """
        for updates, rows in self._groups:
            update = updates.get(id(weight))
            if update is None:
                continue
            if isinstance(rows, slice):
                update.add(x[rows], out[rows])
            else:
                own = out.index_select(0, rows)
                update.add(x.index_select(0, rows), own)
                out.index_copy_(0, rows, own)


def bind_adapter(adapter: Adapter, architecture: Architecture) -> BoundAdapter:
    """Bring an adapter into a decoder's layout: on the host, in fp32.

    Raises:
        AdapterError: it is for another model, or adapts what is not supported.
    """
    names = _rooted(architecture.modules, adapter)
    source = _AdapterSource(adapter)
    precision = Precision.choose(torch.float32, _HOST)
    DecoderWeights.build(Architecture(architecture.spec, names), precision, source)
    source.refuse_rest(names)
    return BoundAdapter(tuple(source.updates))


def merge_adapter(
    weights: DecoderWeights, adapter: BoundAdapter, spec: DecoderSpec, precision: Precision
) -> DecoderWeights:
    """Return weights with an adapter in them, for all that is computed.

    Numbers get it added and are rounded once. Weights in blocks stay as they are, and it is
    computed beside them: to round them again would cost more than the adapter may change.

    Args:
        weights: of the decoder; not to be used any more.
        adapter: in fp32.
        spec: what they are for.
        precision: their dtypes.
    """
    roomy = is_roomy(spec, precision)
    merged = [
        weight if update is None else _merged(weight, update, precision, roomy)
        for weight, update in zip(weights.projections, adapter.updates, strict=True)
    ]
    layers = [
        replace(layer, qkv=qkv, output=output, up=up, down=down)
        for layer, qkv, output, up, down in zip(
            weights.layers, *(merged[place:-1:4] for place in range(4)), strict=True
        )
    ]
    return replace(weights, layers=tuple(layers), head=merged[-1])


def _merged(
    weight: LinearWeight, update: LowRankUpdate, precision: Precision, roomy: bool
) -> LinearWeight:
    if isinstance(weight, StackedWeight):
        device = next(part.device for part in weight.parts if isinstance(part, QuantizedMatrix))
        return AdaptedWeight(weight, update.to(device, precision.residual))
    plain = plain_parts(weight)
    numbers, bias = plain[0] if plain else weight.dense()
    update = update.to(numbers.device, torch.float32)
    if numbers.device.type == "cpu":  # what is mapped from a file stays as it is there
        numbers = numbers.float().clone()
        update.add_to_weight(numbers)
        return pack_linear(numbers.to(precision.weights), bias, roomy=roomy)
    update.add_to_weight(numbers)
    return PlainWeight(numbers, bias)


class _AdapterSource(WeightSource):
    """Gives an adapter's weights where a decoder's are asked for.

    Attributes:
        updates: of the projections that were asked for, in their order.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.updates: list[LowRankUpdate | None] = []
        self._left = dict(adapter.weights)

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `WeightSource`; there is none."""
        return _NOTHING

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        """See `WeightSource`; notes what is added to it."""
        parts, first = [], 0
        for spec in weights:
            if (part := self._part(spec, first)) is not None:
                parts.append(part)
            first += spec.rows
        self.updates.append(LowRankUpdate(parts) if parts else None)
        return PlainWeight(_NOTHING)

    def tied(self, embedding: Table, dtype: torch.dtype, roomy: bool) -> LinearWeight:
        """See `WeightSource`."""
        self.updates.append(None)
        return PlainWeight(_NOTHING)

    def refuse_rest(self, names: TensorNames) -> None:
        """Refuse what no projection has asked for."""
        if names.head in self._left:
            raise AdapterError(
                f"the adapter changes {names.head}, which shares the weights of the model's "
                "embedding: that is not supported"
            )
        if self._left:
            raise AdapterError(
                "the adapter is of another model, or changes modules that are not supported: "
                f"{listed(self._left)}"
            )

    def _part(self, spec: TensorSpec, first: int) -> LowRankPart | None:
        name = spec.name.removesuffix(".weight")
        if (weight := self._left.pop(name, None)) is None:
            return None
        columns = spec.shape[0] if spec.transposed else spec.shape[1]
        if weight.a.shape[1] != columns or weight.b.shape[0] != spec.rows:
            raise AdapterError(
                f"the adapter is of another model: its {name} has {weight.a.shape[1]} inputs and "
                f"{weight.b.shape[0]} outputs, the model's {columns} and {spec.rows}"
            )
        b = torch.empty(spec.rows, weight.rank)
        rows = TensorSpec(spec.name, tuple(b.shape), spec.rotary)
        rows.place(weight.b.float() * weight.scale, b)
        return LowRankPart(first, weight.a.float(), b)


def _rooted(names: TensorNames, adapter: Adapter) -> TensorNames:
    """Return the names with the root that the adapter's have."""
    within = names.layer.split("{")[0]
    for root in names.roots:
        if any(name.startswith(f"{root}{within}") for name in adapter.weights):
            return replace(names, roots=(root,))
    return names
