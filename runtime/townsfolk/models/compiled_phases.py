"""Phases of compiled steps, made of a decoder's spec and weights.

A step is a list of phases with the addresses of what they read and write; see
`townsfolk_kernels.compiled.step`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels import Activation, LinearWeight, plain_parts
from townsfolk_kernels.compiled import attention, products, step
from townsfolk_kernels.compiled.vectors import LANES
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.interleaved import InterleavedMatrix
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.models.batch import KvPages
from townsfolk.models.decoder import Decoder
from townsfolk.models.projections import Projection
from townsfolk.models.spec import DecoderSpec, LayerSpec, NormKind
from townsfolk.models.weights import Layer, Norm

_ACTIVATIONS = {
    Activation.SILU: step.Activation.SILU,
    Activation.GELU_TANH: step.Activation.GELU_TANH,
    Activation.RELU_SQUARED: step.Activation.RELU_SQUARED,
}
_FORMATS = {torch.bfloat16: products.Format.BF16}


def can_compile(decoder: Decoder) -> bool:
    """Return whether `CompiledDecode` computes what the decoder's spec says, with these weights."""
    return (
        decoder.device.type == "cpu"
        and decoder.dtype in (torch.bfloat16, torch.float32)
        and _is_covered(decoder.spec)
        and all(_parts(weight) for weight in decoder.weights.projections)
    )


def _is_covered(spec: DecoderSpec) -> bool:
    widths = {spec.hidden_size}
    widths.update(layer.mlp.width for layer in spec.layers)
    widths.update(layer.attention.head_dim for layer in spec.layers)
    return (
        not any(width % LANES for width in widths)
        and spec.norm.kind is NormKind.RMS
        and all(_is_layer_covered(layer) for layer in spec.layers)
    )


def _is_layer_covered(layer: LayerSpec) -> bool:
    return layer.norm.kind is NormKind.RMS and layer.mlp.activation in _ACTIVATIONS


_Part = tuple[Tensor | InterleavedMatrix, Tensor | None]


def _parts(weight: LinearWeight) -> list[_Part]:
    """Return a weight's rows as compiled code can read them, and their biases; none if it can't."""
    if not isinstance(weight, StackedWeight):
        plain = plain_parts(weight) or []
        return [part for part in plain if part[0].dtype in _FORMATS]
    parts: list[_Part] = []
    row = 0
    for each in weight.parts:
        found: list[_Part] = []
        if isinstance(each, InterleavedMatrix):
            found = [(each, None)]
        elif not isinstance(each, QuantizedMatrix):
            found = _parts(each)
        if not found or row % LANES:
            return []
        rows = sum(_rows(part) for part, _ in found)
        bias = None if weight.bias is None else weight.bias[row : row + rows]
        parts += [(part, bias) for part, _ in found]
        row += rows
    return parts


def _rows(part: Tensor | InterleavedMatrix) -> int:
    return part.rows if isinstance(part, InterleavedMatrix) else len(part)


class PhaseTable:
    """A list of phases as compiled code reads it.

    Attributes:
        table: [phases], `step.PHASE`s.
    """

    def __init__(self, phases: Sequence[Mapping[str, Any]]) -> None:
        """Write down phases by the names of their fields."""
        self.table = np.zeros(len(phases), dtype=step.PHASE)
        for row, phase in zip(self.table, phases, strict=True):
            for name, value in phase.items():
                row[name] = value
        kinds = self.table["kind"]
        self._rotated = [
            np.flatnonzero(kinds == kind) for kind in (step.Kind.ATTENTION, step.Kind.TURN)
        ]

    def rotate(self, rotations: Sequence[Tensor]) -> None:
        """Take each layer's cosines and sines, which must live as long as a step runs."""
        for places in self._rotated:
            if len(places):
                self.table["rotation"][places] = [each.data_ptr() for each in rotations]


def with_adapters(
    phases: Sequence[Mapping[str, Any]], projections: Sequence[Projection]
) -> list[Mapping[str, Any]]:
    """Return phases in which the products of layers add what adapters change."""
    found: list[Mapping[str, Any]] = []
    left = iter(enumerate(projections))
    for phase in phases:
        of_layer = phase["kind"] == step.Kind.PRODUCT and phase is not phases[-1]
        if of_layer:
            number, shape = next(left)
            first, second = (*shape.ends, shape.ends[-1])[:2]
            own = {"projection": number, "parts": len(shape.ends)}
            own |= {"first_end": first, "second_end": second}
            found += [{**phase, **own, "kind": step.Kind.SHRINK}, {**phase, **own}]
        else:
            found.append(phase)
    return found


def for_prompts(phases: Sequence[Mapping[str, Any]], hidden: Tensor) -> list[Mapping[str, Any]]:
    """Return the phases of a step with prompts, which ends with the last norm, in `hidden`."""
    found: list[Mapping[str, Any]] = []
    for phase in phases[:-1]:
        if phase["kind"] == step.Kind.PRODUCT:
            found.append({**phase, "kind": step.Kind.PREPARE})
        elif phase["kind"] == step.Kind.ATTENTION:
            found.append({**phase, "kind": step.Kind.TURN})
        found.append(phase)
    return [*found, {**phases[-1], "kind": step.Kind.NORM, "target": hidden.data_ptr()}]


def are_in_blocks(decoder: Decoder) -> bool:
    """Return whether all that layers are multiplied with is in blocks of compiled code."""
    weights = [
        weight
        for layer in decoder.weights.layers
        for weight in (layer.qkv, layer.output, layer.up, layer.down)
    ]
    return all(is_in_blocks(weight) for weight in weights)


def is_in_blocks(weight: LinearWeight) -> bool:
    """Return whether all of a weight that `can_compile` covers is in blocks of compiled code."""
    return all(isinstance(part, InterleavedMatrix) for part, _ in _parts(weight))


@dataclass(frozen=True, slots=True)
class Splits:
    """How the positions of sequences that decode are divided; see `compiled.attention`.

    Attributes:
        starts: [count + 1] int64, of each sequence's splits.
        owners: [splits] int64, the sequence of each.
        numbers: [splits] int64, of each in its sequence.
    """

    starts: NDArray[np.int64]
    owners: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, positions: NDArray[np.int64]) -> Splits:
        """Divide all positions up to those of the tokens to compute, [count]."""
        if positions.max(initial=0) < attention.SPLIT:
            each = np.arange(len(positions) + 1)
            return cls(each, each[:-1], np.zeros(len(positions), dtype=np.int64))
        counts = -(-(positions + 1) // attention.SPLIT)
        starts = np.concatenate(([0], np.cumsum(counts)))
        owners = np.repeat(np.arange(len(positions)), counts)
        return cls(starts, owners, np.arange(starts[-1]) - starts[owners])

    def write(self, values: Any) -> None:
        """Write them into a `STEP`, which must not outlive them."""
        values["splits"], values["split_starts"] = len(self.owners), self.starts.ctypes.data
        values["split_sequences"] = self.owners.ctypes.data
        values["split_numbers"] = self.numbers.ctypes.data


class StepPhases:
    """The phases of a step of one token each of up to so many rows, and what they work on.

    Attributes:
        phases: of the step, by the names of their fields; the last is the head's product.
        parts: `products.PART`s of all weights.
        residual: [rows, hidden] fp32, where embeddings are expected.
        logits: [rows, vocab] fp32, the result; one row where `with_logits` is false.
        qkv: the address of what attention projects, [rows, queries + keys + values] fp32.
        partial_numbers: fp32 numbers that a split gives.
    """

    def __init__(
        self, decoder: Decoder, kv: KvPages, rows: int, *, with_logits: bool = True
    ) -> None:
        """Take the memory and write down the phases."""
        spec = decoder.spec
        self._decoder, self._kv = decoder, kv
        self._kept: list[Tensor | InterleavedMatrix] = []  # what the phases point to
        self._parts: list[tuple[float, ...]] = []
        attentions = [layer.attention for layer in spec.layers]
        qkv = max(each.query_width + 2 * each.kv_width for each in attentions)
        self.residual = torch.empty(rows, spec.hidden_size)
        self.qkv = self._buffer(rows, qkv)
        self._block = self._buffer(rows, spec.hidden_size)
        self._inner = self._buffer(rows, max(layer.mlp.width for layer in spec.layers))
        self.logits = torch.empty(rows if with_logits else 1, spec.vocab_size)
        self.partial_numbers = max(
            each.num_heads * (each.head_dim + attention.EXTRA) for each in attentions
        )
        self.phases = self._plan()
        self.parts = np.array(self._parts, dtype=products.PART)

    def _plan(self) -> list[dict[str, Any]]:
        """Return the phases of a step."""
        weights = self._decoder.weights
        phases: list[dict[str, Any]] = []
        for number, layer in enumerate(weights.layers):
            phases += self._attention(number, layer)
            phases += self._feed_forward(layer)
        phases.append(
            self._product(weights.head, self.residual.data_ptr(), weights.norm)
            | {"output": step.Output.STORE, "target": self.logits.data_ptr()}
        )
        return phases

    def _attention(self, number: int, layer: Layer) -> list[dict[str, Any]]:
        spec = layer.spec.attention
        heads = {
            "heads": spec.num_heads,
            "kv_heads": spec.num_kv_heads,
            "head_dim": spec.head_dim,
        }
        project = self._product(layer.qkv, self.residual.data_ptr(), layer.attention_norm)
        attend = heads | {
            "kind": step.Kind.ATTENTION,
            "q_norm": self._address(layer.q_norm),
            "k_norm": self._address(layer.k_norm),
            "eps": 0.0 if spec.qk_norm is None else spec.qk_norm.eps,
            "window": spec.window or 0,
            "scale": spec.scale,
            "k_pages": self._kv.k[number].data_ptr(),
            "v_pages": self._kv.v[number].data_ptr(),
        }
        output = self._product(layer.output) | heads | {"input": step.Input.ATTENDED}
        return [
            project | {"output": step.Output.STORE, "target": self.qkv},
            attend,
            *self._added(output, layer.after_attention, layer.spec.residual_multiplier),
        ]

    def _feed_forward(self, layer: Layer) -> list[dict[str, Any]]:
        mlp = layer.spec.mlp
        up = self._product(layer.up, self.residual.data_ptr(), layer.mlp_norm)
        down = self._product(layer.down, self._inner)
        return [
            up
            | {
                "output": step.Output.GATE if mlp.gated else step.Output.ACTIVATE,
                "activation": _ACTIVATIONS[mlp.activation],
                "target": self._inner,
            },
            *self._added(down, layer.after_mlp, layer.spec.residual_multiplier),
        ]

    def _added(
        self, product: dict[str, Any], after: Norm | None, multiplier: float
    ) -> list[dict[str, Any]]:
        """Return a product that is added to the residual stream, normalised where `after`."""
        target = {"target": self.residual.data_ptr(), "multiplier": multiplier}
        if after is None:
            return [product | target | {"output": step.Output.ADD}]
        add: dict[str, Any] = target | {
            "kind": step.Kind.ADD,
            "source": self._block,
            "norm": self._address(after.weight),
            "eps": after.spec.eps,
        }
        add["weight"] = (0, 0, 0, self._decoder.spec.hidden_size)
        return [product | {"output": step.Output.STORE, "target": self._block}, add]

    def _product(
        self, weight: LinearWeight, source: int = 0, norm: Norm | None = None
    ) -> dict[str, Any]:
        begin, rows, columns = len(self._parts), 0, 0
        parts = _parts(weight)
        for part, bias in parts:
            added = self._address(bias)
            if isinstance(part, InterleavedMatrix):
                columns = part.columns
                self._parts.append(products.part_of(part, rows, added))
            else:
                columns = part.shape[1]
                kind = _FORMATS[part.dtype]
                self._parts.append(
                    (kind, part.data_ptr(), rows, len(part), columns, added, 0, 0, 0.0)
                )
            self._kept.append(part)
            rows += _rows(part)
        phase = {
            "kind": step.Kind.PRODUCT,
            "weight": (begin, len(parts), rows, columns),
            "quantized": any(isinstance(part, InterleavedMatrix) for part, _ in parts),
            "source": source,
            "input": step.Input.ROWS,
        }
        if norm is None:
            return phase
        return phase | {
            "input": step.Input.NORMED,
            "norm": self._address(norm.weight),
            "eps": norm.spec.eps,
        }

    def _address(self, vector: Tensor | None) -> int:
        """Return where a vector is, as fp32; 0 for none."""
        if vector is None:
            return 0
        kept = vector.float().contiguous()
        self._kept.append(kept)
        return kept.data_ptr()

    def _buffer(self, rows: int, columns: int) -> int:
        """Return the address of a buffer of fp32 numbers."""
        kept = torch.empty(rows, columns)
        self._kept.append(kept)
        return kept.data_ptr()


def widest_input(spec: DecoderSpec) -> int:
    """Return the input columns of the widest product."""
    return max(
        spec.hidden_size,
        *(layer.mlp.width for layer in spec.layers),
        *(layer.attention.query_width for layer in spec.layers),
    )
