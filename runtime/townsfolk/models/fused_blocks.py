"""What a decode step is made of: the attention and the feed-forward block of each layer.

Each is run by fused kernels where there are some for what its spec says, else by the operations of
`Decoder.forward`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd
from typing import Protocol

import torch
from torch import Tensor
from townsfolk_kernels.decode.attention import DecodeWorkspace
from townsfolk_kernels.decode.operands import (
    AttentionLaunch,
    HeadNorm,
    Heads,
    LaunchConfig,
    Sequences,
)
from townsfolk_kernels.decode.qkv_attention import qkv_attend
from townsfolk_kernels.decode.rope_attention import (
    rope_store_attend,
    step_programs,
    step_splits,
)
from townsfolk_kernels.decode.single_workspace import SingleWorkspace, single_splits
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.pages import QUANTIZED

from townsfolk.models.adapter_stack import StackedRows
from townsfolk.models.batch import KvPages
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.decoder import Decoder
from townsfolk.models.fused_products import (
    Joining,
    Products,
    Stream,
    bias_of,
    packed_parts,
)
from townsfolk.models.layers import Ops, attention_output, mlp_output
from townsfolk.models.spec import AttentionSpec
from townsfolk.models.weights import Layer

# With more rows than these attention gains nothing by loading keys and values before its wait.
_MOST_AHEAD = 16


@dataclass(frozen=True, slots=True)
class StepState:
    """One step on its way through the blocks.

    Attributes:
        inputs: what it reads.
        stream: the residual stream.
        ops: gives the operations of blocks without fused kernels.
        adapters: of its rows; None where none may have any.
    """

    inputs: DecodeInputs
    stream: Stream
    ops: Callable[[], Ops]
    adapters: StackedRows | None = None

    @property
    def batch(self) -> int:
        """How many places there are."""
        return self.inputs.rows.shape[0]


class Block(Protocol):
    """A part of a layer that adds to the residual stream."""

    def run(self, step: StepState) -> None:
        """Launch it."""


class FusedAttentionWorkspace:
    """The memory of the attention of a decoder's steps."""

    def __init__(self, decoder: Decoder, max_batch: int) -> None:
        """Take memory for batches of up to `max_batch`."""
        device, dtype, layers = decoder.device, decoder.dtype, decoder.spec.num_layers
        shapes = {_shape(layer.attention) for layer in decoder.spec.layers}
        self.processors = card_of(device).wave
        self.step = torch.zeros(1, dtype=torch.int32, device=device)  # number of a step at batch 1
        # A shape each: a word must be written again before its tag returns; see `relay`.
        self.single = {
            shape: SingleWorkspace.allocate(
                layers, *shape, dtype, device, self.step, single_splits(*shape, self.processors)
            )
            for shape in shapes
        }
        most = max(step_programs(max_batch, kv_heads, self.processors) for _, kv_heads, _ in shapes)
        group = max(heads // kv_heads for heads, kv_heads, _ in shapes)
        self.split = DecodeWorkspace(most, group, max(dim for *_, dim in shapes), device)
        self._qkv = torch.empty(
            max_batch * max((heads + 2 * keys) * dim for heads, keys, dim in shapes), device=device
        )
        self._out = torch.empty(
            max_batch * max(heads * dim for heads, _, dim in shapes), dtype=dtype, device=device
        )

    def qkv(self, spec: AttentionSpec, batch: int) -> Tensor:
        """Return [batch, (heads + 2 * kv_heads) * head_dim], fp32."""
        return _rows(self._qkv, batch, spec.query_width + 2 * spec.kv_width)

    def out(self, spec: AttentionSpec, batch: int) -> Tensor:
        """Return [batch, heads * head_dim], dtype of activations."""
        return _rows(self._out, batch, spec.query_width)

    def poison(self) -> None:
        """Fill with NaN what no step may read before it is written: for tests."""
        for each in (self._qkv, self._out):
            each.fill_(float("nan"))


@dataclass(frozen=True, slots=True)
class FusedAttention:
    """Attention by fused kernels: one launch for one sequence alone, else two, and the output."""

    layer: Layer
    joining: Joining
    heads: Heads
    products: Products
    space: FusedAttentionWorkspace

    def run(self, step: StepState) -> None:
        """See `Block`."""
        spec = self.layer.spec.attention
        out = self.space.out(spec, step.batch)
        by_heads = out.view(step.batch, spec.num_heads, spec.head_dim)
        inputs = step.inputs
        sequences = Sequences(inputs.rows, inputs.positions, inputs.tables)
        # A tile of the projection that runs beside has not all of a head, which a scale is of; and
        # of packed weights there is none.
        is_single = step.batch == 1 and not inputs.is_long
        has_scales = self.heads.k_pages.dtype == QUANTIZED
        own = step.adapters
        if is_single and not has_scales and not packed_parts(self.layer.qkv) and own is None:
            self._attend_single(step.stream, sequences, by_heads)
        else:
            self._attend(step.stream, sequences, by_heads, own)
        self.products.join(out, self.layer.output, step.stream, self.joining, own)

    def _attend_single(self, stream: Stream, sequences: Sequences, out: Tensor) -> None:
        spec = self.layer.spec.attention
        weight, _ = self.layer.qkv.dense()
        launch = self.products.launch("qkv", weight.shape, 1)
        tiles = replace(launch.tiles, rows=max(gcd(launch.tiles.rows, spec.head_dim), 2), splits=1)
        qkv_attend(
            stream.scaled,
            stream.norm,
            weight,
            self.heads,
            sequences,
            out,
            self.space.single[_shape(spec)],
            LaunchConfig(tiles, launch.workspace, launch.dependent),
        )

    def _attend(
        self, stream: Stream, sequences: Sequences, out: Tensor, adapters: StackedRows | None
    ) -> None:
        spec, batch = self.layer.spec.attention, out.shape[0]
        qkv = self.space.qkv(spec, batch)
        self.products.qkv(stream.scaled, self.layer.qkv, qkv, adapters)
        # Whether keys are loaded ahead decides the order of sums, so the launch must not decide it.
        ahead = batch <= _MOST_AHEAD
        early = self.products.dependent and ahead
        splits = step_splits(batch, spec.num_kv_heads, self.space.processors)
        launch = AttentionLaunch(splits, early, ahead)
        rope_store_attend(qkv, stream.norm, self.heads, sequences, out, self.space.split, launch)


@dataclass(frozen=True, slots=True)
class FusedMlp:
    """A gated feed-forward block by two fused kernels."""

    layer: Layer
    joining: Joining
    products: Products
    memory: Tensor  # at least [max_batch, width], dtype of activations

    def run(self, step: StepState) -> None:
        """See `Block`."""
        mlp = self.layer.spec.mlp
        inner = _rows(self.memory, step.batch, mlp.width)
        self.products.gate_up(step.stream, self.layer.up, mlp, inner, step.adapters)
        self.products.join(inner, self.layer.down, step.stream, self.joining, step.adapters)


@dataclass(frozen=True, slots=True)
class PlainAttention:
    """Attention by plain operations."""

    number: int
    layer: Layer
    joining: Joining
    products: Products

    def run(self, step: StepState) -> None:
        """See `Block`."""
        ops, stream = step.ops(), step.stream
        normed = ops.norm(stream.residual, self.layer.attention_norm)
        out = attention_output(self.number, self.layer, normed, ops)
        self.products.join_rows(out, stream, self.joining)


@dataclass(frozen=True, slots=True)
class PlainMlp:
    """A feed-forward block by plain operations."""

    layer: Layer
    joining: Joining
    products: Products

    def run(self, step: StepState) -> None:
        """See `Block`."""
        ops, stream = step.ops(), step.stream
        out = mlp_output(self.layer, ops.norm(stream.residual, self.layer.mlp_norm), ops)
        self.products.join_rows(out, stream, self.joining)


def heads_of(decoder: Decoder, kv: KvPages, number: int, rotation: Tensor) -> Heads:
    """Return the heads of a layer, with their pages."""
    layer = decoder.weights.layers[number]
    spec, norm = layer.spec.attention, None
    if spec.qk_norm is not None:
        assert layer.q_norm is not None
        assert layer.k_norm is not None
        norm = HeadNorm(layer.q_norm, layer.k_norm, spec.qk_norm.eps)
    bias = bias_of(layer.qkv)
    return Heads(number, bias, norm, rotation, kv.k[number], kv.v[number], spec.scale, spec.window)


def _shape(spec: AttentionSpec) -> tuple[int, int, int]:
    return spec.num_heads, spec.num_kv_heads, spec.head_dim


def _rows(memory: Tensor, batch: int, width: int) -> Tensor:
    return memory[: batch * width].view(batch, width)
