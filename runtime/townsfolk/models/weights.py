"""A decoder's weights: which tensors they are, fused and laid out for speed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from townsfolk_kernels import LinearWeight, activation_dtype, pack_linear
from townsfolk_kernels.ops.embedding import Table
from townsfolk_kernels.ops.linear import PlainWeight
from townsfolk_kernels.ops.low_rank import AdaptedWeight
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import DecoderSpec, LayerSpec, NormKind, NormSpec

# Up to this size weights may be kept in two layouts, if that makes a single sequence faster.
_ROOMY_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rotary:
    """Which rows of a tensor are turned by rotary embedding.

    Checkpoints pair dimension i of a head with i + dim / 2; here the two become neighbours.

    Attributes:
        head_dim: rows of a head.
        dim: rows of a head that are turned, the first ones.
        rows: rows of heads that are turned, the first ones of the tensor.
    """

    head_dim: int
    dim: int
    rows: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor in a checkpoint.

    Attributes:
        name: its name there.
        shape: its shape there.
        rotary: the rows that change their order.
        transposed: it is stored [in_features, out_features].
        offset: what is added to it.
        mean: what a fresh one's values are near, as stored.
    """

    name: str
    shape: tuple[int, ...]
    rotary: Rotary | None = None
    transposed: bool = False
    offset: float = 0.0
    mean: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of the weight that it becomes."""
        return self.shape[-1] if self.transposed else self.shape[0]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of such a row."""
        return self.shape[:-1] if self.transposed else self.shape[1:]

    @property
    def is_plain(self) -> bool:
        """Whether it can be used as it is stored."""
        return self.rotary is None and not self.transposed and not self.offset

    def place(self, tensor: Tensor, target: Tensor) -> None:
        """Copy the stored tensor to `target` [rows, *row_shape]."""
        for run in self.runs(self.shape[0]):
            self.place_run(run, tensor[run.first : run.first + run.count], target)

    def place_run(self, run: Run, rows: Tensor, target: Tensor) -> None:
        """Copy some stored rows to their place in `target` [rows, *row_shape]."""
        view = target.mT if self.transposed else target
        if self.offset:
            rows = rows.float() + self.offset
        part = view[run.first : run.first + run.count]
        part.copy_(run.turned(rows), non_blocking=run.rotary is None)

    def runs(self, most: int) -> Iterator[Run]:
        """Divide the stored rows into runs of at most `most`, or one head."""
        turned = 0 if self.rotary is None else self.rotary.rows
        bounds = [(0, turned, self.rotary), (turned, self.shape[0], None)]
        for begin, end, rotary in bounds:
            unit = 1 if rotary is None else rotary.head_dim
            step = max(most // unit, 1) * unit
            for first in range(begin, end, step):
                yield Run(first, min(first + step, end) - first, rotary)


@dataclass(frozen=True, slots=True)
class Run:
    """Some rows of a stored tensor.

    Attributes:
        first: the first of them.
        count: how many.
        rotary: how they are turned, all of them.
    """

    first: int
    count: int
    rotary: Rotary | None

    def turned(self, rows: Tensor) -> Tensor:
        """Return the rows [count, ...], of numbers or of blocks, in the order they are kept in."""
        if self.rotary is None:
            return rows
        dim = self.rotary.dim
        heads = rows.unflatten(0, (-1, self.rotary.head_dim))
        halves = heads[:, :dim].unflatten(1, (2, dim // 2))
        pairs = halves.transpose(1, 2).flatten(1, 2)
        return torch.cat((pairs, heads[:, dim:]), dim=1).flatten(0, 1)


def is_roomy(spec: DecoderSpec, precision: Precision) -> bool:
    """Return whether a decoder's weights may be kept in two layouts."""
    return spec.num_parameters * precision.weights.itemsize <= _ROOMY_BYTES


class WeightSource(ABC):
    """Where weights come from."""

    @abstractmethod
    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """Stack tensors along dimension 0, in a dtype (None: whatever costs nothing)."""

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        """Stack weights along dimension 0, with their biases if there are any.

        Weights in blocks stay so.
        """
        bias = self.tensor(biases, dtype) if biases else None
        return pack_linear(self.tensor(weights, dtype), bias, roomy=roomy)

    def table(self, spec: TensorSpec) -> Table:
        """Return a table of which rows are taken, as it is."""
        return self.tensor([spec], None)

    def tied(self, embedding: Table, dtype: torch.dtype, roomy: bool) -> LinearWeight:
        """Return the embedding as the weight of the head."""
        if isinstance(embedding, QuantizedMatrix):
            return StackedWeight([embedding], [embedding.rows])
        return pack_linear(embedding.to(dtype), roomy=roomy)


@dataclass(frozen=True, slots=True)
class Precision:
    """Dtypes of a decoder.

    Attributes:
        weights: of the projections.
        activations: of what they are multiplied with, and of keys and values.
        residual: of the residual stream and the norms.
    """

    weights: torch.dtype
    activations: torch.dtype
    residual: torch.dtype

    @classmethod
    def choose(cls, weights: torch.dtype, device: torch.device) -> Precision:
        """Return what goes with weights of this dtype on this device."""
        activations = activation_dtype(weights, device)
        # On the CPU fp32 is not only more exact here: its sums and norms take half the time.
        residual = torch.float32 if device.type == "cpu" else activations
        return cls(weights, activations, residual)


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm of rows, or of heads."""

    spec: NormSpec
    weight: Tensor  # [hidden], with the offset
    bias: Tensor | None = None  # [hidden]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it computes, and with which weights."""

    spec: LayerSpec
    attention_norm: Norm
    qkv: LinearWeight  # [(heads + 2 * kv_heads) * head_dim, hidden]
    q_norm: Tensor | None  # [head_dim]
    k_norm: Tensor | None  # [head_dim]
    output: LinearWeight  # [hidden, heads * head_dim]
    after_attention: Norm | None
    mlp_norm: Norm
    up: LinearWeight  # [width, hidden]; gated: [2 * width, hidden], the gate first
    down: LinearWeight  # [hidden, width]
    after_mlp: Norm | None


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """All of a decoder."""

    embedding: Table  # [vocab, hidden]
    positions: Tensor | None  # [positions, hidden]
    layers: tuple[Layer, ...]
    norm: Norm
    head: LinearWeight  # [vocab, hidden]

    @property
    def projections(self) -> list[LinearWeight]:
        """What the products of the layers and the head multiply with."""
        of_layers = [[each.qkv, each.output, each.up, each.down] for each in self.layers]
        return [*chain.from_iterable(of_layers), self.head]

    @property
    def is_quantized(self) -> bool:
        """Whether any weight is in blocks."""
        return isinstance(self.embedding, QuantizedMatrix) or any(
            isinstance(each, StackedWeight | AdaptedWeight) for each in self.projections
        )

    @property
    def nbytes(self) -> int:
        """Memory of all but the norms; what a tied head shares with the embedding counts once."""
        tables = 0 if self.positions is None else self.positions.nbytes
        head = self.head.parts[0] if isinstance(self.head, StackedWeight) else self.head
        own = head.weight if isinstance(head, PlainWeight) else head
        if own is not self.embedding:
            tables += self.embedding.nbytes
        return tables + sum(each.nbytes for each in self.projections)

    @classmethod
    def build(
        cls, architecture: Architecture, precision: Precision, source: WeightSource
    ) -> DecoderWeights:
        """Ask `source` for every tensor, in the order of the forward pass."""
        spec, names = architecture.spec, architecture.names
        roomy = is_roomy(spec, precision)
        builder = _Builder(spec.hidden_size, names, precision, source, roomy)
        table = TensorSpec(
            f"{names.root}{names.embedding}.weight", (spec.vocab_size, spec.hidden_size)
        )
        embedding = source.table(table)
        positions = None
        if spec.embedding.positions:
            rows = (spec.embedding.positions, spec.hidden_size)
            learned = TensorSpec(f"{names.root}{names.positions}.weight", rows)
            positions = source.tensor([learned], precision.residual)
        layers = tuple(
            builder.layer(layer, f"{names.root}{names.layer.format(index)}")
            for index, layer in enumerate(spec.layers)
        )
        norm = builder.norm(f"{names.root}{names.norm}", spec.norm)
        if spec.head.tied:
            head = source.tied(embedding, precision.weights, roomy)
        else:
            weight = TensorSpec(f"{names.head}.weight", table.shape)
            head = source.linear([weight], [], precision.weights, roomy)
        return cls(embedding, positions, layers, norm, head)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the parts of a decoder."""

    hidden: int
    names: TensorNames
    precision: Precision
    source: WeightSource
    roomy: bool

    def norm(self, name: str, spec: NormSpec) -> Norm:
        # An offset of one leaves few digits of a 16-bit weight.
        dtype = torch.float32 if spec.unit_offset else self.precision.residual
        scale = self._scale(name, spec, self.hidden, None)
        weight = self.source.tensor([scale], dtype)
        if spec.kind is NormKind.RMS:
            return Norm(spec, weight)
        bias = self.source.tensor([TensorSpec(f"{name}.bias", (self.hidden,))], dtype)
        return Norm(spec, weight, bias)

    def layer(self, spec: LayerSpec, prefix: str) -> Layer:
        names, attention, mlp = self.names, spec.attention, spec.mlp
        queries, keys = attention.query_width, attention.kv_width
        after_attention = after_mlp = q_norm = k_norm = None
        attention_norm = self.norm(f"{prefix}{names.attention_norm}", spec.norm)
        if len(names.qkv) == 1:
            qkv = {names.qkv[0]: queries + 2 * keys}
        else:
            qkv = dict(zip(names.qkv, (queries, keys, keys), strict=True))
        turned = iter((queries + keys,) if len(qkv) == 1 else (queries, keys, 0))
        rotary = [self._rotary(spec, next(turned)) for _ in qkv]
        qkv_weight = self._linear(prefix, qkv, self.hidden, attention.qkv_bias, rotary)
        if attention.qk_norm is not None:
            of_head = self._rotary(spec, attention.head_dim)
            q_norm = self._head_norm(f"{prefix}{names.q_norm}", spec, of_head)
            k_norm = self._head_norm(f"{prefix}{names.k_norm}", spec, of_head)
        output = self._linear(prefix, {names.output: self.hidden}, queries, attention.output_bias)
        if spec.norm_after:
            after_attention = self.norm(f"{prefix}{names.after_attention}", spec.norm)
        mlp_norm = self.norm(f"{prefix}{names.mlp_norm}", spec.norm)
        width = mlp.width * (2 if mlp.gated else 1)
        up = {name: width // len(names.up) for name in names.up}
        up_weight = self._linear(prefix, up, self.hidden, mlp.bias)
        down = self._linear(prefix, {names.down: self.hidden}, mlp.width, mlp.bias)
        if spec.norm_after:
            after_mlp = self.norm(f"{prefix}{names.after_mlp}", spec.norm)
        return Layer(
            spec, attention_norm, qkv_weight, q_norm, k_norm, output, after_attention, mlp_norm,
            up_weight, down, after_mlp,
        )  # fmt: skip

    def _rotary(self, spec: LayerSpec, rows: int) -> Rotary | None:
        rope = spec.attention.rope
        if rope is None or not rows or self.names.neighbours:
            return None
        return Rotary(spec.attention.head_dim, rope.dim, rows)

    def _linear(
        self,
        prefix: str,
        parts: dict[str, int],
        columns: int,
        bias: bool,
        rotary: Sequence[Rotary | None] = (),
    ) -> LinearWeight:
        transposed = self.names.transposed
        weights, biases = [], []
        for number, (name, rows) in enumerate(parts.items()):
            turned = rotary[number] if rotary else None
            shape = (columns, rows) if transposed else (rows, columns)
            weights.append(TensorSpec(f"{prefix}{name}.weight", shape, turned, transposed))
            biases.append(TensorSpec(f"{prefix}{name}.bias", (rows,), turned))
        own = biases if bias else []
        return self.source.linear(weights, own, self.precision.weights, self.roomy)

    def _head_norm(self, name: str, spec: LayerSpec, rotary: Rotary | None) -> Tensor:
        assert spec.attention.qk_norm is not None
        scale = self._scale(name, spec.attention.qk_norm, spec.attention.head_dim, rotary)
        return self.source.tensor([scale], torch.float32)

    @staticmethod
    def _scale(name: str, spec: NormSpec, width: int, rotary: Rotary | None) -> TensorSpec:
        offset = 1.0 if spec.unit_offset else 0.0
        return TensorSpec(f"{name}.weight", (width,), rotary, offset=offset, mean=1.0 - offset)


class _Recorder(WeightSource):
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.found: dict[str, TensorSpec] = {}

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        self.found.update((spec.name, spec) for spec in specs)
        return torch.empty(0, device="meta")


def expected_tensors(architecture: Architecture) -> dict[str, TensorSpec]:
    """Return all tensors that a checkpoint of this architecture holds, by name."""
    recorder = _Recorder()
    anything = Precision.choose(torch.float32, torch.device("meta"))
    DecoderWeights.build(architecture, anything, recorder)
    return recorder.found
