"""The steps of a decoder on a CUDA device: what they work on, and the sizes of their graphs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from townsfolk_kernels.prefill.attention import AttentionWorkspace

from townsfolk.engine.cuda_graphs import (
    MOST_FUSED,
    DecodeGraph,
    DecodeShape,
    GraphResources,
    MixedGraph,
    aligned,
    bucket,
    mixed_workspace,
)
from townsfolk.engine.device_masks import DeviceMasks
from townsfolk.engine.mixed_step import MixedStep, StepResources
from townsfolk.engine.score_graph import SEQUENCES, ScoreGraph, ScoreShape
from townsfolk.engine.score_graph import TOKENS as SCORED
from townsfolk.engine.slot_tables import SlotTables, table_width
from townsfolk.engine.step_inputs import (
    DECODES,
    PREFILLS,
    TOKENS,
    StepShape,
    decode_places,
    graph_sizes,
)
from townsfolk.kv import KvCache
from townsfolk.models import Decoder
from townsfolk.models.adapter_stack import AdapterStack
from townsfolk.models.decode_step import can_stack
from townsfolk.models.step_choice import choose_step
from townsfolk.sampling.triton_backend import TritonBackend

Shape = DecodeShape | StepShape | ScoreShape


@dataclass(frozen=True, slots=True)
class CudaSteps:
    """Makes the steps of a runner.

    Attributes:
        graphs: what all graphs work on.
        eager_workspace: of the attention in steps that are no graphs. They are large: their prompts
            need not be split, nor other kernels.
        wanted: graphs to make beforehand: first what one player's talk with few characters needs.
        stack: adapters that rows of graphs may have; None where graphs know none.
        graph_tokens: the most tokens of a graph.
    """

    graphs: GraphResources
    eager_workspace: AttentionWorkspace
    wanted: tuple[Shape, ...]
    stack: AdapterStack | None = None
    graph_tokens: int = TOKENS[-1]

    @classmethod
    def make(
        cls,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        context_length: int,
        adapters: int = 0,
        graph_tokens: int = TOKENS[-1],
    ) -> CudaSteps:
        """Take the memory for steps of up to `max_batch` sequences.

        Args:
            decoder: the model; on "meta" with a card on paper, where no step is captured.
            kv: its pages.
            eos_ids: tokens that end a reply.
            max_batch: the most sequences.
            context_length: the most tokens of one.
            adapters: bytes of all adapters that sequences may name; 0 for none.
            graph_tokens: the most tokens of a graph.
        """
        device, on_gpu = decoder.device, decoder.device.type == "cuda"
        largest = bucket(min(max_batch, MOST_FUSED))
        most_decodes = decode_places(max_batch) or DECODES[-1]
        most_sequences = max(max_batch, most_decodes + PREFILLS)
        resources = StepResources(
            decoder,
            kv,
            SlotTables(max_batch, table_width(context_length, kv.block_size), device),
            TritonBackend(max_batch, decoder.spec.vocab_size, eos_ids, device, aligned(largest)),
            DeviceMasks(aligned(most_sequences), decoder.spec.vocab_size, device),
        )
        workspace = mixed_workspace(decoder, most_decodes)
        stack = None
        if adapters and can_stack(decoder):
            stack = AdapterStack(decoder, adapters, max_batch)
        fused = choose_step(decoder, kv, largest, context_length, workspace, stack)
        graphs = GraphResources(
            resources,
            fused,
            workspace,
            torch.cuda.graph_pool_handle() if on_gpu else None,
            torch.cuda.Stream(device) if on_gpu else None,
        )
        has_long = fused.long_from is not None and context_length > fused.long_from
        wanted = _wanted(largest, most_decodes, graph_tokens, has_long)
        if fused.takes_adapters:
            decodes = [each for each in wanted if isinstance(each, DecodeShape)]
            wanted += [replace(each, adapted=True) for each in decodes if not each.is_long]
        return cls(graphs, replace(workspace, prefill=None), tuple(wanted), stack, graph_tokens)

    @property
    def resources(self) -> StepResources:
        """What any step works on."""
        return self.graphs.step

    @property
    def long_from(self) -> int | None:
        """See `DecodeStep`."""
        return self.graphs.fused.long_from

    def graph(self, shape: Shape) -> DecodeGraph | MixedGraph | ScoreGraph:
        """Return a step that can be captured."""
        if isinstance(shape, DecodeShape):
            return DecodeGraph(shape, self.graphs)
        if isinstance(shape, ScoreShape):
            return ScoreGraph(shape, self.graphs)
        return MixedGraph(shape, self.graphs)

    def eager(self, shape: StepShape, inputs: Tensor) -> MixedStep:
        """Return a step that is launched operation by operation, over inputs on the device."""
        return MixedStep(shape, inputs, self.resources, self.eager_workspace)


def _wanted(largest: int, most_decodes: int, graph_tokens: int, has_long: bool) -> list[Shape]:
    sizes = sorted({bucket(batch) for batch in range(1, largest + 1)})
    mixed: list[Shape] = [
        StepShape.graph(decodes, tokens)
        for decodes, tokens in graph_sizes(graph_tokens)
        if decodes <= most_decodes and (tokens > decodes or decodes > MOST_FUSED)
        if tokens >= decodes
    ]
    first: list[Shape] = [DecodeShape(1, True), *mixed[: len(TOKENS)]]
    plain: list[Shape] = [DecodeShape(size, True) for size in sizes[1:]]
    general: list[Shape] = [DecodeShape(size, False) for size in sizes]
    masked: list[Shape] = [DecodeShape(size, True, is_masked=True) for size in sizes]
    long: list[Shape] = [DecodeShape(1, plain, is_long=True) for plain in (True, False)]
    long.append(DecodeShape(1, True, is_long=True, is_masked=True))
    scores: list[Shape] = [ScoreShape(each, SEQUENCES) for each in SCORED if each <= graph_tokens]
    shapes = [*first, *plain, *mixed[len(TOKENS) :], *general, *masked]
    return [*shapes, *(long if has_long else []), *scores]
