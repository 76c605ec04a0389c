"""A step of any kind on a GPU: sequences that decode, and prompts beside them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout
from townsfolk_kernels.prefill.attention import AttentionWorkspace
from townsfolk_kernels.prefill.gather import gather_tokens
from townsfolk_kernels.sampling.logprobs import DrawReport

from townsfolk.engine.device_masks import DeviceMasks
from townsfolk.engine.slot_tables import SlotTables
from townsfolk.engine.step_inputs import StepInputs, StepShape
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.adapters import BatchAdapters
from townsfolk.sampling.triton_backend import TritonBackend


@dataclass(frozen=True, slots=True)
class StepResources:
    """What all steps of a runner work on.

    Attributes:
        decoder: the model.
        kv: its pages.
        tables: the block table of each slot.
        sampler: how each slot draws.
        masks: among which tokens those draw that are under a grammar.
    """

    decoder: Decoder
    kv: KvCache
    tables: SlotTables
    sampler: TritonBackend
    masks: DeviceMasks


class MixedStep:
    """A step of a certain shape, over inputs on the device.

    Attributes:
        shape: its size.
        inputs: see `StepInputs`: [sum(sizes)], int32.
        flat: the report, as one tensor.
        report: what was drawn, once the step has run: sequences that decode first, then prompts,
            from `shape.decodes` on.
    """

    def __init__(
        self,
        shape: StepShape,
        inputs: Tensor,
        resources: StepResources,
        workspace: AttentionWorkspace | None = None,
    ) -> None:
        """Take memory for what the step looks up and reports.

        Args:
            shape: its size.
            inputs: of the step, which may be written anew before it runs again.
            resources: what it works on.
            workspace: where the programs of attention meet that share a sequence.
        """
        self.shape = shape
        self.inputs = inputs
        self._resources = resources
        self._workspace = workspace
        device = resources.decoder.device
        # [3, tokens]: token ids, positions, slots
        self._gathered = torch.zeros(3, shape.tokens, dtype=torch.int64, device=device)
        self.flat, self.report = DrawReport.allocate(shape.sequences, device)

    def run(self, adapters: BatchAdapters | None = None) -> tuple[Tensor, Tensor]:
        """Launch the step's operations one by one.

        Args:
            adapters: of its rows; a graph has none.

        Returns:
            [tokens, hidden]: what the model made of each token; and [sequences, vocab], fp32, the
            logits of each sequence, for `draw_masked`.
        """
        own, shape = self._resources, self.shape
        given, positions, owners, lengths, slots, last, draws, indices, starts = self.inputs.split(
            StepInputs.sizes(shape)
        )
        tables, block_size = own.tables.blocks, own.kv.block_size
        drawn = own.sampler.drawn
        gather_tokens(given, positions, owners, drawn, tables, block_size, self._gathered)
        layout = PagedLayout(
            starts,
            lengths,
            tables.index_select(0, slots.clamp(min=0)),
            block_size,
            longest=shape.longest,
            singles=shape.decodes,
            workspace=self._workspace,
        )
        token_ids, wide_positions, places = self._gathered
        batch = ModelBatch(token_ids, wide_positions, places, layout, adapters)
        hidden = own.decoder.forward(batch, own.kv)  # [tokens, hidden]
        logits = own.decoder.logits(hidden.index_select(0, last))
        own.sampler.draw_into(logits, draws, indices, self.report.part(slice(0, shape.sequences)))
        return hidden, logits

    def draw_masked(self, logits: Tensor) -> None:
        """Draw for sequences that waited for masks, which are in `StepResources.masks` now."""
        indices = self.inputs.split(StepInputs.sizes(self.shape))[7]
        self._resources.masks.draw(self._resources.sampler, logits, indices, self.report)
