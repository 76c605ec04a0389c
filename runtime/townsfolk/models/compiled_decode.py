"""Decode steps on the CPU in one call of compiled code: a token of each sequence.

What runs is a list of phases, made once of the decoder's spec and weights; see
`townsfolk_kernels.compiled.step`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels import Activation, LinearWeight, plain_parts
from townsfolk_kernels.compiled import attention, products, step
from townsfolk_kernels.compiled.team import Team, local_team
from townsfolk_kernels.compiled.vectors import LANES
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.interleaved import InterleavedMatrix
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.compiled_adapters import CompiledRows
from townsfolk.models.decoder import Decoder
from townsfolk.models.projections import Projection, projections_of
from townsfolk.models.spec import DecoderSpec, LayerSpec, NormKind
from townsfolk.models.weights import Layer, Norm

MOST_SEQUENCES = 16
"""In a step of 16-bit weights; with more of them, the products of whole batches are faster."""
_MOST_QUANTIZED = 64  # likewise of weights in blocks, whose products are the same ones

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


class _Phases:
    """A list of phases as compiled code reads it.

    Attributes:
        table: [phases], `step.PHASE`s.
        rotated: which of them are attention, one for each layer.
    """

    def __init__(self, phases: Sequence[Mapping[str, Any]]) -> None:
        """Write down phases by the names of their fields."""
        self.table = np.zeros(len(phases), dtype=step.PHASE)
        for row, phase in zip(self.table, phases, strict=True):
            for name, value in phase.items():
                row[name] = value
        self.rotated = np.flatnonzero(self.table["kind"] == step.Kind.ATTENTION)


def _with_adapters(
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


class CompiledDecode:
    """Decode steps of a decoder that `can_compile`; for one thread at a time."""

    def __init__(self, decoder: Decoder, kv: KvPages) -> None:
        """Prepare steps of as many sequences as `takes` says."""
        spec = decoder.spec
        self._decoder, self._kv = decoder, kv
        self._kept: list[Tensor | InterleavedMatrix] = []  # what the phases point to
        is_quantized = decoder.weights.is_quantized
        self._most = most = _MOST_QUANTIZED if is_quantized else MOST_SEQUENCES
        attentions = [layer.attention for layer in spec.layers]
        qkv = max(each.query_width + 2 * each.kv_width for each in attentions)
        widest = max(
            spec.hidden_size,
            *(layer.mlp.width for layer in spec.layers),
            *(each.query_width for each in attentions),
        )
        self._residual = torch.empty(most, spec.hidden_size)
        self._qkv = self._buffer(most, qkv)
        self._block = self._buffer(most, spec.hidden_size)
        self._inner = self._buffer(most, max(layer.mlp.width for layer in spec.layers))
        self._logits = torch.empty(most, spec.vocab_size)
        self._partials = torch.empty(0)
        self._partial_numbers = max(
            each.num_heads * (each.head_dim + attention.EXTRA) for each in attentions
        )
        self._scratch_bytes = step.scratch_bytes(
            most,
            widest,
            max(each.num_heads // each.num_kv_heads for each in attentions),
            max(each.head_dim for each in attentions),
            kv.k[0].shape[2],
        )
        self._parts: list[tuple[float, ...]] = []
        phases = self._plan()
        self._phases = _Phases(phases)
        self._adapted = _Phases(_with_adapters(phases, projections_of(spec)))
        self._part_table = np.array(self._parts, dtype=products.PART)
        self._step = np.zeros(1, dtype=step.STEP)
        self._scratch = torch.empty(0, dtype=torch.uint8)

    def takes(self, batch: ModelBatch) -> bool:
        """Return whether it computes a batch: one new token of each sequence, of not too many."""
        count = len(batch.token_ids)
        if not isinstance(batch.adapters, CompiledRows | None):
            return False
        return count <= self._most and count == len(batch.layout.kv_lengths)

    @torch.inference_mode()
    def logits(self, batch: ModelBatch) -> Tensor:
        """Compute one token of each sequence and write its keys and values.

        Args:
            batch: one new token of each sequence, as `takes` says.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step.

        Raises:
            IndexError: a token id lies outside the vocabulary.
        """
        decoder, count = self._decoder, len(batch.token_ids)
        team = local_team()
        self._make_room(team)
        residual = self._residual[:count]
        residual.copy_(decoder.embed(batch.token_ids, batch.positions))
        tables = batch.layout.block_tables.contiguous()
        positions = batch.positions.contiguous()
        rotations = decoder.rotations(positions)
        rows = batch.adapters
        phases = self._phases if rows is None else self._adapted
        phases.table["rotation"][phases.rotated] = [each.data_ptr() for each in rotations]
        lengths = positions.numpy() + 1
        counts = -(-lengths // attention.SPLIT)
        starts = np.concatenate(([0], np.cumsum(counts)))
        owners = np.repeat(np.arange(count), counts)
        numbers = np.arange(starts[-1]) - starts[owners]
        if self._partials.numel() < self._partial_numbers * len(owners):
            self._partials = torch.empty(self._partial_numbers * len(owners) * 2)
        values = self._step[0]
        values["count"] = count
        values["positions"] = positions.data_ptr()
        values["tables"], values["table_stride"] = tables.data_ptr(), tables.shape[1]
        values["splits"], values["split_starts"] = len(owners), starts.ctypes.data
        values["split_sequences"] = owners.ctypes.data
        values["split_numbers"] = numbers.ctypes.data
        values["partials"] = self._partials.data_ptr()
        if isinstance(rows, CompiledRows):
            values["adapters"], values["units"] = rows.addresses.ctypes.data, rows.units
            shrunk = torch.empty(count, 3 * rows.units * LANES)
            values["shrunk"] = shrunk.data_ptr()
        team.run(partial(self._work, phases.table))
        return decoder.finish_logits(self._logits[:count])

    def _make_room(self, team: Team) -> None:
        """Be ready for a team's threads."""
        values = self._step[0]
        if values["team"] == team.address:
            return
        self._scratch = torch.empty(team.size * self._scratch_bytes, dtype=torch.uint8)
        values["team"], values["threads"] = team.address, team.size
        values["block_size"] = self._kv.k[0].shape[2]
        values["pages_are_bf16"] = self._kv.k[0].dtype == torch.bfloat16
        values["qkv"] = self._qkv
        values["scratch"] = self._scratch.data_ptr()
        values["scratch_bytes"] = self._scratch_bytes

    def _work(self, phases: NDArray[Any], thread: int) -> None:
        step.run_step(self._step, phases, self._part_table, thread)

    def _plan(self) -> list[dict[str, Any]]:
        """Return the phases of a step."""
        weights = self._decoder.weights
        phases: list[dict[str, Any]] = []
        for number, layer in enumerate(weights.layers):
            phases += self._attention(number, layer)
            phases += self._feed_forward(layer)
        phases.append(
            self._product(weights.head, self._residual.data_ptr(), weights.norm)
            | {"output": step.Output.STORE, "target": self._logits.data_ptr()}
        )
        return phases

    def _attention(self, number: int, layer: Layer) -> list[dict[str, Any]]:
        spec = layer.spec.attention
        heads = {
            "heads": spec.num_heads,
            "kv_heads": spec.num_kv_heads,
            "head_dim": spec.head_dim,
        }
        project = self._product(layer.qkv, self._residual.data_ptr(), layer.attention_norm)
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
            project | {"output": step.Output.STORE, "target": self._qkv},
            attend,
            *self._added(output, layer.after_attention, layer.spec.residual_multiplier),
        ]

    def _feed_forward(self, layer: Layer) -> list[dict[str, Any]]:
        mlp = layer.spec.mlp
        up = self._product(layer.up, self._residual.data_ptr(), layer.mlp_norm)
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
        target = {"target": self._residual.data_ptr(), "multiplier": multiplier}
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
