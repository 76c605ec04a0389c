"""Steps as CUDA graphs of model and sampler: decodes alone, and with prompts beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels.decode.attention import DecodeWorkspace, most_programs
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.prefill.attention import AttentionWorkspace, PrefillWorkspace
from townsfolk_kernels.sampling.draw import Mailbox, draw
from townsfolk_kernels.sampling.general import draw_general
from townsfolk_kernels.sampling.logprobs import DrawReport
from townsfolk_kernels.sampling.masks import TokenMasks

from townsfolk.engine.mixed_step import MixedStep, StepResources
from townsfolk.engine.step import StepItem
from townsfolk.engine.step_inputs import TOKENS, Ints, StepInputs, StepShape
from townsfolk.models import Decoder
from townsfolk.models.decode_step import DecodeInputs, DecodeStep

MOST_FUSED = 64
"""The fused kernels hold all rows of a batch in one tile."""

_TURNS = 4  # more than steps are in flight
_ROOM_BYTES = 4 * 1024 * 1024  # more than a graph takes when it begins
# Below 8 a row more costs the most; above, groups of 8 share a graph.
_SMALL = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class DecodeShape:
    """The size of a decode step.

    Attributes:
        size: places.
        is_plain: whether the plain sampling kernels will do for all of it.
        is_long: whether it is of one sequence alone with a long context.
        adapted: whether rows may have adapters.
        is_masked: whether all of it waits for masks, and draws in a graph of its own.
        is_paired: whether its logits are changed before some are drawn from late.
    """

    size: int
    is_plain: bool
    is_long: bool = False
    adapted: bool = False
    is_masked: bool = False
    is_paired: bool = False


def bucket(batch: int) -> int:
    """Return the size of the graph that decodes a batch."""
    fitting = [size for size in _SMALL if size >= batch]
    return fitting[0] if fitting else -(-batch // 8) * 8


@dataclass(frozen=True, slots=True)
class GraphResources:
    """What all graphs of a runner work on.

    Attributes:
        step: what any step works on.
        fused: the model's decode steps.
        workspace: of the attention in mixed steps.
        pool: memory that the graphs share, for no two run at once.
        stream: on which they are captured; one for all, for cuBLAS keeps memory for each stream.
            None for steps that are not captured, with a card on paper.
    """

    step: StepResources
    fused: DecodeStep
    workspace: AttentionWorkspace
    pool: Any
    stream: torch.cuda.Stream | None


class StepGraph(ABC):
    """A step that is captured once and replayed with other inputs.

    Attributes:
        flat: the report, as one tensor.
        report: what was drawn, once a step has run.
        logits: [places, vocab], where they can be changed before late draws; None where not.
    """

    flat: Tensor
    report: DrawReport
    logits: Tensor | None = None

    def __init__(self, resources: GraphResources) -> None:
        """Make a graph that is not captured yet."""
        self._resources = resources
        self._device = resources.step.decoder.device
        self._graph: torch.cuda.CUDAGraph | None = None
        self._late: torch.cuda.CUDAGraph | None = None  # of draws that wait for masks

    def run(self) -> None:
        """Launch all operations one by one, on the inputs as they are."""
        logits = self.compute()
        if logits is not None:
            self.draw_masked(logits)

    @abstractmethod
    def compute(self) -> Tensor | None:
        """Launch the step's operations one by one.

        Returns:
            the logits, where some may be drawn from late; see `draw_masked`.
        """

    @abstractmethod
    def draw_masked(self, logits: Tensor) -> None:
        """Launch the draws of those that waited for masks."""

    def capture(self) -> None:
        """Make the graph; no slot may be in use in the inputs, so that nothing changes."""
        current, stream = torch.cuda.current_stream(), self._resources.stream
        assert stream is not None
        self._resources.step.masks.clear()
        stream.wait_stream(current)
        # Not `torch.cuda.graph`: it collects garbage and waits for the device, and others decode.
        with torch.cuda.stream(stream):
            self.run()  # loads the kernels
            # A graph that finds no memory when it begins ends the process where it is freed.
            torch.empty(_ROOM_BYTES, dtype=torch.uint8, device=self._device)
            self._graph, logits = self._captured(self.compute)
            if logits is not None:
                # Nothing else of the pool runs between the two: the logits are still there.
                self._late, _ = self._captured(lambda: self.draw_masked(logits))
        current.wait_stream(stream)
        self._resources.step.masks.note_drawn()

    def replay(self) -> None:
        """Start the step."""
        assert self._graph is not None
        self._graph.replay()

    def replay_masked(self, whole: bool) -> Tensor | None:
        """Start the draws of those that waited for masks, right behind their step.

        Args:
            whole: whether all of them draw.

        Returns:
            where they arrive on the host, as `DecodeGraph.launch` says; None where `report` has
            them.
        """
        assert self._late is not None
        self._late.replay()
        return None

    def _captured(
        self, run: Callable[[], Tensor | None]
    ) -> tuple[torch.cuda.CUDAGraph, Tensor | None]:
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(self._resources.pool, capture_error_mode="thread_local")
        try:
            result = run()
        finally:
            graph.capture_end()
        return graph, result


class DecodeGraph(StepGraph):
    """Sequences that decode, up to `shape.size`."""

    def __init__(self, shape: DecodeShape, resources: GraphResources) -> None:
        """Take memory for the inputs; see `capture`."""
        super().__init__(resources)
        self.flat, self.report = DrawReport.allocate(shape.size, self._device)
        self._shape = shape
        if shape.is_paired:
            vocab_size = resources.step.decoder.spec.vocab_size
            self.logits = torch.empty(shape.size, vocab_size, device=self._device)
        # [4, size]: slots, positions, tokens drawn before, slots that wait for no mask; each at a
        # multiple of 16 bytes
        self._inputs = torch.full((4, aligned(shape.size)), -1, dtype=torch.int32).to(self._device)
        self._expected: list[list[int]] = []  # what the inputs are after the last draws
        self._after: list[list[int]] = []  # what they are once the latest step has drawn
        # Plain draws go straight to the host: [turns, size].
        self._mailbox = torch.zeros(
            _TURNS, shape.size, dtype=torch.int32, pin_memory=self._device.type == "cuda"
        )
        self._turn = torch.zeros(1, dtype=torch.int32, device=self._device)
        self._launches = 0

    def compute(self) -> Tensor | None:
        """See `StepGraph`."""
        own, size = self._resources, self._shape.size
        sampler = own.step.sampler
        slots, positions, indices, draws = self._inputs[:, :size]
        blocks = own.step.tables.blocks
        shape = self._shape
        inputs = DecodeInputs(slots, positions, blocks, sampler.drawn, shape.is_long, shape.adapted)
        logits = own.fused.logits(inputs)
        if self._shape.is_masked:
            return logits
        if self.logits is not None:
            logits = self.logits.copy_(logits)
        if self._shape.is_plain:
            self._draw(logits, slots, own.fused.is_dependent(size))
            return None
        draw_general(logits, draws, indices, sampler.rows, sampler.space, self.report)
        return logits

    def draw_masked(self, logits: Tensor) -> None:
        """See `StepGraph`."""
        own, size = self._resources.step, self._shape.size
        if self._shape.is_plain:
            self._draw(logits, own.masks.slots[:size], False, own.masks.part(size))
        else:
            own.masks.draw(own.sampler, logits, self._inputs[2, :size], self.report)

    def capture(self) -> None:
        """See `StepGraph`."""
        super().capture()
        self._turn.zero_()

    def launch(self, items: Sequence[StepItem]) -> Tensor | None:
        """Start a step; `report` holds the result after it, in the order of the items.

        A step that goes on where the last one ended finds its inputs on the device.

        Returns:
            where plain draws arrive on the host: [size], int32, to be read before some steps more
            are launched. None for others.
        """
        slots = [item.slot for item in items]
        positions = [item.start for item in items]
        indices = [item.index for item in items]
        if self._expected != [slots, positions, indices]:
            draws = [-1 if item.masked else item.slot for item in items]  # plain ones: not used
            host = np.full(self._inputs.shape, -1, dtype=np.int32)
            host[:, : len(slots)] = slots, positions, indices, draws
            _copy(host, self._inputs)
        self._expected = []
        self._after = [slots, [p + 1 for p in positions], [i + 1 for i in indices]]
        self.replay()
        is_late = self._shape.is_masked or not self._shape.is_plain
        return None if is_late else self._drawn()

    def replay_masked(self, whole: bool) -> Tensor | None:
        """See `StepGraph`."""
        super().replay_masked(whole)
        if not self._shape.is_plain:
            return None
        mailbox = self._drawn()
        if not whole:
            self._expected = []  # those that draw nothing do not go on
        return mailbox

    def _drawn(self) -> Tensor:
        """Note that plain draws were launched; return where they arrive."""
        self._expected = self._after
        self._launches += 1
        return self._mailbox[self._launches % _TURNS]

    def _draw(
        self, logits: Tensor, slots: Tensor, dependent: bool, masks: TokenMasks | None = None
    ) -> None:
        """Launch plain draws."""
        sampler, size = self._resources.step.sampler, self._shape.size
        _, positions, indices, _ = self._inputs[:, :size]
        maxima = sampler.space.maxima[0, :size]
        mailbox = Mailbox(self._mailbox, self._turn, positions)
        draw(logits, slots, indices, sampler.rows, maxima, mailbox, dependent, masks)


class MixedGraph(StepGraph):
    """Sequences that decode, and chunks of prompts beside them, of a certain shape.

    Attributes:
        shape: its size.
    """

    def __init__(self, shape: StepShape, resources: GraphResources) -> None:
        """Take memory for the inputs; see `capture`."""
        super().__init__(resources)
        inputs = torch.from_numpy(StepInputs.pack(shape, (), ()).flat).to(self._device)
        workspace = resources.workspace
        if shape.tokens > TOKENS[-1]:  # its prompts fill the device, and need not be split
            workspace = replace(workspace, prefill=None)
        self._step = MixedStep(shape, inputs, resources.step, workspace)
        self.shape = shape
        self.flat, self.report = self._step.flat, self._step.report

    def compute(self) -> Tensor | None:
        """See `StepGraph`."""
        return self._step.run()[1]

    def draw_masked(self, logits: Tensor) -> None:
        """See `StepGraph`."""
        self._step.draw_masked(logits)

    def launch(self, decodes: Sequence[StepItem], prompts: Sequence[StepItem]) -> None:
        """Start a step; `report` holds the result after it."""
        _copy(StepInputs.pack(self.shape, decodes, prompts).flat, self._step.inputs)
        self.replay()


def mixed_workspace(decoder: Decoder, most_decodes: int) -> AttentionWorkspace:
    """Take memory where the programs meet that share a sequence of a mixed step."""
    attention, device = decoder.spec.layers[0].attention, decoder.device
    processors = card_of(device).processors
    programs = most_programs(most_decodes, attention.num_kv_heads, processors)
    group = attention.num_heads // attention.num_kv_heads
    return AttentionWorkspace(
        DecodeWorkspace(programs, group, attention.head_dim, device),
        PrefillWorkspace(2 * processors, group, attention.head_dim, decoder.dtype, device),
        torch.cuda.Stream(device) if device.type == "cuda" else None,
    )


def aligned(count: int) -> int:
    """Round up to so many 32-bit numbers that what follows begins at a multiple of 16 bytes.

    Kernels are compiled for the alignment of what they read: others would be others.
    """
    return -(-count // 4) * 4


def _copy(host: Ints, target: Tensor) -> None:
    target.copy_(torch.from_numpy(host).pin_memory(), non_blocking=True)
