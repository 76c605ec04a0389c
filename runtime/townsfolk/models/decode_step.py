"""A decode step on a CUDA device: one token of each sequence, as CUDA graphs capture it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from townsfolk_kernels import Activation, PagedLayout

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.decoder import Decoder
from townsfolk.models.spec import DecoderSpec, EmbeddingSpec, HeadSpec, LayerSpec, NormKind

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
    """

    rows: Tensor
    positions: Tensor
    tables: Tensor
    drawn: Tensor
    is_long: bool = False


class DecodeStep(Protocol):
    """Computes decode steps of a decoder, without asking the host.

    Attributes:
        long_from: the position from which steps of one sequence alone are others; None where all
            are alike.
    """

    long_from: int | None

    def logits(self, inputs: DecodeInputs) -> Tensor:
        """Compute one token of each sequence and write its keys and values.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step. Those of a
            place that is not used are undefined.
        """

    def is_dependent(self, batch: int) -> bool:
        """Whether the kernel behind such a step starts while the step still runs."""


class PlainDecode:
    """Decode steps of any decoder, in the operations of `Decoder.forward`."""

    long_from: int | None = None

    def __init__(
        self,
        decoder: Decoder,
        kv: KvPages,
        max_batch: int,
        workspace: AttentionWorkspace | None = None,
    ) -> None:
        """Steps of up to `max_batch` sequences.

        Args:
            decoder: the model.
            kv: its pages.
            max_batch: the most sequences in a step.
            workspace: where programs meet that share a sequence; without one they share none.
        """
        self._decoder, self._kv, self._workspace = decoder, kv, workspace
        self._starts = torch.arange(max_batch + 1, dtype=torch.int32, device=decoder.device)

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """See `DecodeStep`."""
        block_size = self._kv.k[0].shape[2]
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
        hidden = self._decoder.forward(ModelBatch(tokens, positions, slots, layout), self._kv)
        return self._decoder.logits(hidden)

    def is_dependent(self, batch: int) -> bool:
        """See `DecodeStep`."""
        return False


def has_fused_steps(spec: DecoderSpec) -> bool:
    """Whether `townsfolk.models.fused_decode` computes what the spec says."""
    first = spec.layers[0]
    shapes = {
        (each.attention.num_heads, each.attention.num_kv_heads, each.attention.head_dim)
        for each in spec.layers
    }
    return (
        spec.embedding == EmbeddingSpec()
        and spec.head == HeadSpec(spec.head.tied)
        and len(shapes) == 1
        and all(_is_fused(each) and each.mlp.width == first.mlp.width for each in spec.layers)
    )


def _is_fused(layer: LayerSpec) -> bool:
    return (
        layer.norm.kind is NormKind.RMS
        and not layer.norm_after
        and layer.residual_multiplier == 1.0
        and layer.attention.qk_norm is None
        and layer.mlp.gated
        and layer.mlp.activation is Activation.SILU
    )


def choose_step(
    decoder: Decoder,
    kv: KvPages,
    max_batch: int,
    context_length: int,
    workspace: AttentionWorkspace,
) -> DecodeStep:
    """The fastest steps that compute what the decoder's spec says."""
    if has_fused_steps(decoder.spec) and not decoder.weights.is_quantized:
        from townsfolk.models.fused_decode import FusedDecode

        return FusedDecode(decoder, kv, max_batch, context_length)
    return PlainDecode(decoder, kv, max_batch, workspace)
