"""A decode step on a CUDA device: one token of each sequence, as CUDA graphs capture it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from townsfolk_kernels import Activation, PagedLayout

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.decoder import Decoder
from townsfolk.models.spec import DecoderSpec, LayerSpec, NormKind

if TYPE_CHECKING:
    from townsfolk_kernels.prefill.attention import AttentionWorkspace


@dataclass(frozen=True, slots=True)
class DecodeInputs:
    """What a decode step reads.

    Attributes:
        rows: [batch], int32: the sequence's row in `tables` and `drawn`; below 0 for a place that
            is not used.
        positions: [batch], int32: of the token to compute.
        tables: [max_rows, max_blocks], int32: block tables.
        drawn: [max_rows], int32: the token to compute, by row.
        is_long: whether it is one sequence alone, at `DecodeStep.long_from` or beyond. It is known
            when a graph is captured, and results are right either way.
        adapted: whether rows may have adapters, those of `AdapterStack.of_slot`.
    """

    rows: Tensor
    positions: Tensor
    tables: Tensor
    drawn: Tensor
    is_long: bool = False
    adapted: bool = False


class DecodeStep(Protocol):
    """Computes decode steps of a decoder, without asking the host.

    Attributes:
        long_from: the position from which steps of one sequence alone are others; None where all
            are alike.
        takes_adapters: whether steps can be `DecodeInputs.adapted`.
    """

    long_from: int | None
    takes_adapters: bool

    def logits(self, inputs: DecodeInputs) -> Tensor:
        """Compute one token of each sequence and write its keys and values.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step. Those of a
            place that is not used are undefined.
        """

    def is_dependent(self, batch: int) -> bool:
        """Return whether the kernel behind such a step starts while the step still runs."""


class PlainBatches:
    """Steps as flat batches, made on the device: what `Decoder.forward` takes."""

    def __init__(
        self,
        decoder: Decoder,
        kv: KvPages,
        max_batch: int,
        workspace: AttentionWorkspace | None,
    ) -> None:
        """Prepare batches of up to `max_batch` sequences; see `PlainDecode`."""
        self._block_size = kv.k[0].shape[2]
        self._workspace = workspace
        self._starts = torch.arange(max_batch + 1, dtype=torch.int32, device=decoder.device)

    def of(self, inputs: DecodeInputs) -> ModelBatch:
        """Return the batch of a step; a place that is not used has a token without a slot."""
        block_size = self._block_size
        batch, is_used = inputs.rows.shape[0], inputs.rows >= 0
        rows = inputs.rows.clamp(min=0)
        positions = inputs.positions.clamp(min=0).long()
        tables = inputs.tables.index_select(0, rows)
        block = tables.gather(1, (positions // block_size)[:, None])[:, 0].long()
        slots = torch.where(is_used, block * block_size + positions % block_size, -1)
        layout = PagedLayout(
            self._starts[: batch + 1],
            torch.where(is_used, positions + 1, 0).int(),
            tables,
            block_size,
            longest=1,
            singles=batch,
            workspace=self._workspace,
        )
        tokens = inputs.drawn.index_select(0, rows).long()
        return ModelBatch(tokens, positions, slots, layout)


class PlainDecode:
    """Decode steps of any decoder, in the operations of `Decoder.forward`."""

    long_from: int | None = None
    takes_adapters = False

    def __init__(
        self,
        decoder: Decoder,
        kv: KvPages,
        max_batch: int,
        workspace: AttentionWorkspace | None = None,
    ) -> None:
        """Prepare steps of up to `max_batch` sequences.

        Args:
            decoder: the model.
            kv: its pages.
            max_batch: the most sequences in a step.
            workspace: where programs meet that share a sequence; without one they share none.
        """
        self._decoder, self._kv = decoder, kv
        self._batches = PlainBatches(decoder, kv, max_batch, workspace)

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """See `DecodeStep`."""
        hidden = self._decoder.forward(self._batches.of(inputs), self._kv)
        return self._decoder.logits(hidden)

    def is_dependent(self, batch: int) -> bool:
        """See `DecodeStep`."""
        return False


_GATES = (Activation.SILU, Activation.GELU, Activation.GELU_TANH)


def has_fused_steps(spec: DecoderSpec) -> bool:
    """Return whether `townsfolk.models.fused_decode` computes what the spec says."""
    norms = {spec.norm.kind, *(layer.norm.kind for layer in spec.layers)}
    is_any = any(is_fused(layer) or is_fused_mlp(layer) for layer in spec.layers)
    return norms == {NormKind.RMS} and not spec.embedding.positions and is_any


def is_fused(layer: LayerSpec) -> bool:
    """Return whether there are fused kernels for a layer's attention."""
    return not (layer.norm_after and layer.attention.output_bias)


def is_fused_mlp(layer: LayerSpec) -> bool:
    """Return whether there are fused kernels for a layer's feed-forward block."""
    mlp = layer.mlp
    return mlp.gated and mlp.activation in _GATES and not (layer.norm_after and mlp.bias)


def can_stack(decoder: Decoder) -> bool:
    """Return whether steps find adapters of their rows in an `AdapterStack`."""
    layers = decoder.spec.layers
    fused = all(is_fused(layer) and is_fused_mlp(layer) for layer in layers)
    return fused and has_fused_steps(decoder.spec) and not decoder.weights.is_quantized
