"""The products of a decode step: how they are cut, where their programs meet, when they start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from townsfolk_kernels import LinearWeight
from townsfolk_kernels.decode.addition import add_rows
from townsfolk_kernels.decode.low_rank import LowRankRows, shrink
from townsfolk_kernels.decode.mlp import gate_up
from townsfolk_kernels.decode.operands import Addition, LaunchConfig, RowNorm
from townsfolk_kernels.decode.packed_projection import (
    PackedRows,
    packed_gate_up,
    project_packed,
    project_packed_and_add,
)
from townsfolk_kernels.decode.packed_tiles import (
    packed_split_workspace,
    packed_starts_early,
    packed_tiles,
)
from townsfolk_kernels.decode.projection import project, project_and_add
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles
from townsfolk_kernels.gpu.tuning import split_workspace, starts_early
from townsfolk_kernels.ops.low_rank import AdaptedWeight
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix

from townsfolk.models.adapter_stack import StackedRows
from townsfolk.models.decode_step import is_fused_mlp
from townsfolk.models.decoder import Decoder
from townsfolk.models.spec import DecoderSpec, HeadSpec, MlpSpec
from townsfolk.models.weights import Norm

TileChoice = Callable[..., Tiles]
"""As `townsfolk_kernels.gpu.tuning.choose`."""


@dataclass(slots=True)
class Stream:
    """The residual stream within a step.

    Attributes:
        residual: [batch, hidden].
        scaled: [batch, hidden], dtype of activations: the stream times the next norm's weight.
        squares: [3, any], fp32: memory for sums of squares, by who leaves them: the embedding,
            attention, the feed-forward block.
        norm: what the next norm still has to do to `scaled`.
    """

    residual: Tensor
    scaled: Tensor
    squares: Tensor
    norm: RowNorm

    @classmethod
    def of_rows(cls, residual: Tensor, scaled: Tensor, squares: Tensor) -> Stream:
        """Return a stream that nothing has been added to yet."""
        return cls(residual, scaled, squares, RowNorm(squares[0, :0], residual.shape[1], 0.0))

    def add(self, place: int, parts: int, norm: Norm, multiplier: float) -> Addition:
        """Return what a kernel adds, which leaves so many sums of squares, before `norm`."""
        batch, width = self.residual.shape
        squares = self.squares[place, : parts * batch].view(parts, batch)
        self.norm = RowNorm(squares, width, norm.spec.eps)
        return Addition(self.residual, multiplier, norm.weight, self.scaled, squares)


@dataclass(frozen=True, slots=True)
class Joining:
    """How a block's output joins the residual stream.

    Attributes:
        place: of its sums of squares; see `Stream`.
        multiplier: factor of the output.
        after: norm of the output itself, or None.
        before: the norm of what comes next.
    """

    place: int
    multiplier: float
    after: Norm | None
    before: Norm


def packed_parts(weight: LinearWeight) -> tuple[PackedRows, ...]:
    """Return the parts of a packed weight; none of one that is a tensor, or has such parts."""
    if not isinstance(weight, StackedWeight):
        return ()
    parts = [part.packed for part in weight.parts if isinstance(part, PackedMatrix)]
    return tuple(parts) if len(parts) == len(weight.parts) else ()


def is_fusable(weight: LinearWeight, most_parts: int = 1) -> bool:
    """Return whether there are fused kernels for a weight, of so many packed parts at most."""
    if isinstance(weight, AdaptedWeight):
        return False
    return not isinstance(weight, StackedWeight) or 0 < len(packed_parts(weight)) <= most_parts


def bias_of(weight: LinearWeight) -> Tensor | None:
    """Return the bias of a weight, without a copy of the rest."""
    return weight.bias if isinstance(weight, StackedWeight) else weight.dense()[1]


class Products:
    """Launches the products of a decoder's steps."""

    def __init__(
        self, decoder: Decoder, max_batch: int, choose: TileChoice, dependent: bool
    ) -> None:
        """Take the memory in which programs meet, for batches of up to `max_batch`.

        Args:
            decoder: whose products they are.
            max_batch: the most rows of activations.
            choose: chooses tiles.
            dependent: whether to use programmatic dependent launch at all.
        """
        self.dependent = dependent
        self._device, self._dtype = decoder.device, decoder.dtype
        self._choose = choose
        spec = decoder.spec
        has_after = any(layer.norm_after for layer in spec.layers)
        outputs = max_batch * spec.hidden_size if has_after else 0
        self._output = torch.empty(outputs, device=self._device)  # fp32, of blocks with norms after
        self.workspace = self._split_workspace(decoder, max_batch)

    def launch(self, op: str, shape: Sequence[int], batch: int) -> LaunchConfig:
        """Return how to multiply `batch` rows with a weight; `op` as in `tuning.choose`."""
        tiles = self._tiles(op, shape, batch)
        early = self.dependent and starts_early(op, shape[0], batch, tiles, self._device)
        return LaunchConfig(tiles, self.workspace, early)

    def _packed(self, op: str, parts: Sequence[PackedRows], batch: int) -> LaunchConfig:
        tiles = packed_tiles(op, parts, batch, self._dtype)
        early = self.dependent and packed_starts_early(op, parts, batch, tiles)
        return LaunchConfig(tiles, self.workspace, early)

    def qkv(
        self, x: Tensor, weight: LinearWeight, out: Tensor, adapters: StackedRows | None = None
    ) -> None:
        """Project to queries, keys and values, without bias: fp32, not divided by the rms."""
        if parts := packed_parts(weight):
            project_packed(x, parts, out, self._packed("qkv", parts, x.shape[0]))
            return
        dense, _ = weight.dense()
        added = self._shrunk(x, weight, adapters)
        launch = self._early(self.launch("qkv", dense.shape, x.shape[0]), added)
        project(x, dense, out, launch, added=added)

    def gate_up(
        self,
        stream: Stream,
        weight: LinearWeight,
        mlp: MlpSpec,
        out: Tensor,
        adapters: StackedRows | None = None,
    ) -> None:
        """Project to gate and up, and multiply the two."""
        if parts := packed_parts(weight):
            launch, bias = self._packed("gate_up", parts, out.shape[0]), bias_of(weight)
            packed_gate_up(stream.scaled, stream.norm, parts[0], bias, mlp.activation, out, launch)
            return
        dense, bias = weight.dense()
        launch = self.launch("gate_up", dense.shape, out.shape[0])
        added = self._shrunk(stream.scaled, weight, adapters)
        launch = self._early(launch, added)
        gate_up(stream.scaled, stream.norm, dense, bias, mlp.activation, out, launch, added)

    def join(
        self,
        x: Tensor,
        weight: LinearWeight,
        stream: Stream,
        joining: Joining,
        adapters: StackedRows | None = None,
    ) -> None:
        """Add a block's last product to the residual stream."""
        batch, hidden = stream.residual.shape
        packed = packed_parts(weight)
        if packed:
            launch = self._packed("project", packed, batch)
        else:
            dense, _ = weight.dense()
            launch = self.launch("project", dense.shape, batch)
        added = self._shrunk(x, weight, adapters)
        launch = self._early(launch, added)
        if joining.after is None:
            parts = -(-hidden // launch.tiles.rows)
            addition = stream.add(joining.place, parts, joining.before, joining.multiplier)
            if packed:
                project_packed_and_add(x, packed[0], bias_of(weight), addition, launch)
            else:
                project_and_add(x, dense, bias_of(weight), addition, launch, added)
            return
        assert bias_of(weight) is None
        out = self._output[: batch * hidden].view(batch, hidden)
        if packed:
            project_packed(x, packed, out, launch)
        else:
            project(x, dense, out, launch, added=added)
        self.join_rows(out, stream, joining)

    def join_rows(self, out: Tensor, stream: Stream, joining: Joining) -> None:
        """Add a block's output to the residual stream."""
        addition = stream.add(joining.place, 1, joining.before, joining.multiplier)
        weight, eps = None, 0.0
        if joining.after is not None:
            weight, eps = joining.after.weight, joining.after.spec.eps
        add_rows(out, weight, eps, addition, self.dependent)

    def head(self, stream: Stream, weight: LinearWeight, spec: HeadSpec, out: Tensor) -> None:
        """Project to logits."""
        if parts := packed_parts(weight):
            launch = self._packed("head", parts, out.shape[0])
            multiplier, cap = spec.multiplier, spec.soft_cap
            project_packed(stream.scaled, parts, out, launch, stream.norm, multiplier, cap)
            return
        dense, _ = weight.dense()
        launch = self.launch("head", dense.shape, out.shape[0])
        project(stream.scaled, dense, out, launch, stream.norm, spec.multiplier, spec.soft_cap)

    def _shrunk(
        self, x: Tensor, weight: LinearWeight, adapters: StackedRows | None
    ) -> LowRankRows | None:
        """Launch the first half of what adapters add to a product; return the second."""
        if adapters is None:
            return None
        added = adapters.of(weight)
        shrink(x, added, self.dependent)
        return added

    def _early(self, launch: LaunchConfig, added: LowRankRows | None) -> LaunchConfig:
        """Return a launch that starts while `shrink` still runs, if that runs before it."""
        return launch if added is None else replace(launch, dependent=self.dependent)

    def _tiles(self, op: str, shape: Sequence[int], batch: int) -> Tiles:
        rows, columns = shape
        tiles = self._choose(op, rows, columns, batch, self._device)
        return tiles if self._dtype.itemsize == 2 else tiles.in_full_precision()

    def _split_workspace(self, decoder: Decoder, max_batch: int) -> SplitWorkspace:
        """Take memory for partial sums and counters of any batch and product."""
        elements = counters = 0
        batches = range(1, max_batch + 1)
        if not decoder.weights.is_quantized:
            for op, shape in product_shapes(decoder.spec):
                for batch in batches:
                    tiles = self._tiles(op, shape, batch)
                    size, count = split_workspace(op, shape[0], batch, tiles)
                    elements, counters = max(elements, size), max(counters, count)
        for op, parts in packed_products(decoder):
            for batch in batches:
                tiles = packed_tiles(op, parts, batch, self._dtype)
                size, count = packed_split_workspace(op, parts, batch, tiles)
                elements, counters = max(elements, size), max(counters, count)
        return SplitWorkspace.allocate(elements, counters, self._device)


def packed_products(decoder: Decoder) -> list[tuple[str, tuple[PackedRows, ...]]]:
    """Return a decoder's products with packed weights, each shape and mix of formats once."""
    weights = decoder.weights
    named = [("head", weights.head)]
    for layer in weights.layers:
        named += [("qkv", layer.qkv), ("project", layer.output)]
        named += [("gate_up", layer.up), ("project", layer.down)]
    found = {}
    for op, weight in named:
        parts = packed_parts(weight)
        if parts:
            found[op, *((part.block_format, part.rows, part.columns) for part in parts)] = op, parts
    return list(found.values())


def product_shapes(spec: DecoderSpec) -> list[tuple[str, tuple[int, int]]]:
    """Return the products of a decoder's steps: ops as in `tuning.choose`, rows and columns."""
    hidden = spec.hidden_size
    shapes = {("head", (spec.vocab_size, hidden)): None}
    for layer in spec.layers:
        attention, mlp = layer.attention, layer.mlp
        shapes["qkv", (attention.query_width + 2 * attention.kv_width, hidden)] = None
        shapes["project", (hidden, attention.query_width)] = None
        if is_fused_mlp(layer):
            shapes["gate_up", (2 * mlp.width, hidden)] = None
            shapes["project", (hidden, mlp.width)] = None
    return list(shapes)
