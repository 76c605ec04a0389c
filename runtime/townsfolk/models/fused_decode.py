"""Decoding on a CUDA device: a step of one token a sequence, in four or five kernels a layer.

The kernels depend on each other only, take all they need from tensors that stay where they are,
and never ask the host: so a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from townsfolk_kernels.decode.embedding import embed_drawn
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.tuning import choose
from townsfolk_kernels.prefill.attention import AttentionWorkspace
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.models.adapter_stack import AdapterStack, StackedRows
from townsfolk.models.batch import KvPages
from townsfolk.models.decode_step import (
    DecodeInputs,
    PlainBatches,
    can_stack,
    is_fused,
    is_fused_mlp,
)
from townsfolk.models.decoder import Decoder
from townsfolk.models.fused_blocks import (
    Block,
    FusedAttention,
    FusedAttentionWorkspace,
    FusedMlp,
    PlainAttention,
    PlainMlp,
    StepState,
    heads_of,
)
from townsfolk.models.fused_products import Joining, Products, Stream, TileChoice, is_fusable
from townsfolk.models.layers import Ops
from townsfolk.models.paged import PagedOps

# With more rows than these the draw gains nothing by starting early.
_MOST_DRAWN_EARLY = 4
# From this position on one sequence alone takes the whole device for its attention, as several do;
# before, its attention runs beside its projection, in few programs.
_LONG = 2560


class FusedDecode:
    """Decode steps of a decoder for which `has_fused_steps` holds; see `DecodeStep`."""

    long_from: int | None = _LONG

    def __init__(
        self,
        decoder: Decoder,
        kv: KvPages,
        max_batch: int,
        context_length: int,
        workspace: AttentionWorkspace | None = None,
        *,
        stack: AdapterStack | None = None,
        tiles: TileChoice = choose,
        dependent: bool | None = None,
    ) -> None:
        """Take the memory that steps work in.

        Args:
            decoder: the model.
            kv: its pages.
            max_batch: the most sequences in a step.
            context_length: the most positions of a sequence.
            workspace: of attention in layers without fused kernels; see `PlainDecode`.
            stack: adapters that rows may have.
            tiles: how the tiles of a product are chosen.
            dependent: whether to use programmatic dependent launch; by default where there is one.
        """
        spec, device, dtype = decoder.spec, decoder.device, decoder.dtype
        self._decoder, self._kv = decoder, kv
        self._dependent = card_of(device).has_dependent_launch if dependent is None else dependent
        self._rotations = decoder.rotations(torch.arange(context_length, device=device))
        self._batches = PlainBatches(decoder, kv, max_batch, workspace)
        self._products = Products(decoder, max_batch, tiles, self._dependent)
        self._attention = FusedAttentionWorkspace(decoder, max_batch)

        def space(*size: int, of: torch.dtype = dtype) -> Tensor:
            return torch.empty(size, dtype=of, device=device)

        self._residual = space(max_batch, spec.hidden_size, of=decoder.precision.residual)
        self._scaled = space(max_batch, spec.hidden_size)
        self._squares = space(3, max_batch * spec.hidden_size, of=torch.float32)
        self._inner = space(max_batch * max(layer.mlp.width for layer in spec.layers))
        self._logits = space(max_batch, spec.vocab_size, of=torch.float32)
        self._places = torch.arange(max_batch, dtype=torch.int32, device=device)
        self._blocks = list(self._make_blocks())
        self._adapters = None
        if stack is not None and can_stack(decoder):
            self._adapters = StackedRows(stack, decoder.weights, max_batch)
        self.takes_adapters = self._adapters is not None

    def is_dependent(self, batch: int) -> bool:
        """See `DecodeStep`."""
        return self._dependent and batch <= _MOST_DRAWN_EARLY

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """See `DecodeStep`."""
        weights, spec = self._decoder.weights, self._decoder.spec
        batch = inputs.rows.shape[0]
        stream = Stream.of_rows(self._residual[:batch], self._scaled[:batch], self._squares)
        start = stream.add(
            0, 1, weights.layers[0].attention_norm, self._decoder.embedding_multiplier
        )
        adapters = self._adapters if inputs.adapted else None
        if adapters is not None:
            adapters.begin(inputs.rows)
        counted = self._attention.step if batch == 1 and not inputs.is_long else None
        if isinstance(weights.embedding, Tensor):
            embed_drawn(inputs.rows, inputs.drawn, weights.embedding, start, counted)
        else:
            values = self._embedding_rows(weights.embedding, inputs)
            embed_drawn(self._places[:batch], self._places, values, start, counted)
        made: list[Ops] = []

        def ops() -> Ops:
            if not made:
                made.append(self._plain(inputs))
            return made[0]

        step = StepState(inputs, stream, ops, adapters)
        for block in self._blocks:
            block.run(step)
        logits = self._logits[:batch]
        self._products.head(stream, weights.head, spec.head, logits)
        return logits

    def poison(self) -> None:
        """Fill with NaN what no step may read before it is written: for tests."""
        self._attention.poison()
        self._products.workspace.parts.fill_(float("nan"))
        for each in (self._residual, self._scaled, self._squares, self._inner, self._logits):
            each.fill_(float("nan"))

    def _embedding_rows(self, table: QuantizedMatrix, inputs: DecodeInputs) -> Tensor:
        """Return the embeddings of the tokens drawn last, place by place: [batch, hidden]."""
        dtype = self._decoder.dtype
        if isinstance(table, PackedMatrix):
            return table.gather_drawn(inputs.rows, inputs.drawn, dtype)
        return table.gather(inputs.drawn.index_select(0, inputs.rows.clamp(min=0)).long(), dtype)

    def _plain(self, inputs: DecodeInputs) -> PagedOps:
        batch = self._batches.of(inputs)
        rotations = self._decoder.rotations(batch.positions)
        return PagedOps(batch, self._kv, rotations, self._decoder.dtype)

    def _make_blocks(self) -> Iterator[Block]:
        layers = self._decoder.weights.layers
        next_norms = [layer.attention_norm for layer in layers[1:]] + [self._decoder.weights.norm]
        for number, (layer, next_norm) in enumerate(zip(layers, next_norms, strict=True)):
            multiplier, products = layer.spec.residual_multiplier, self._products
            joining = Joining(1, multiplier, layer.after_attention, layer.mlp_norm)
            if is_fused(layer.spec) and is_fusable(layer.qkv, 2) and is_fusable(layer.output):
                heads = heads_of(self._decoder, self._kv, number, self._rotations[number])
                yield FusedAttention(layer, joining, heads, products, self._attention)
            else:
                yield PlainAttention(number, layer, joining, products)
            joining = Joining(2, multiplier, layer.after_mlp, next_norm)
            if is_fused_mlp(layer.spec) and is_fusable(layer.up) and is_fusable(layer.down):
                yield FusedMlp(layer, joining, products, self._inner)
            else:
                yield PlainMlp(layer, joining, products)
