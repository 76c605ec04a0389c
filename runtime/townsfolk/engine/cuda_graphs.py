"""Steps as CUDA graphs of model and sampler: of those who decode, and with prompts beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout
from townsfolk_kernels.triton.attention import DecodeWorkspace, most_programs
from townsfolk_kernels.triton.gather import gather_tokens
from townsfolk_kernels.triton.general_sampling import draw_general
from townsfolk_kernels.triton.logprobs import Report
from townsfolk_kernels.triton.prefill_attention import AttentionWorkspace, PrefillWorkspace
from townsfolk_kernels.triton.sampling import Onward, draw

from townsfolk.engine.device_rows import DeviceRows
from townsfolk.engine.scheduler import StepItem
from townsfolk.engine.step_shape import Ints, StepInputs, StepShape, index_of, row_of
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.decode_step import DecodeInputs, DecodeStep

MOST_FUSED = 64
"""The fused kernels hold all rows of a batch in one tile."""

_TURNS = 4  # more than steps are in flight
_ROOM_BYTES = 4 * 1024 * 1024  # more than a graph takes when it begins
# Below 8 a row more costs the most; above, groups of 8 share a graph.
_SMALL = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class DecodeShape:
    """The size of a decode step, and whether the plain sampling kernels will do for all of it."""

    size: int
    is_plain: bool


def bucket(batch: int) -> int:
    """The size of the graph that decodes a batch."""
    fitting = [size for size in _SMALL if size >= batch]
    return fitting[0] if fitting else -(-batch // 8) * 8


@dataclass(frozen=True, slots=True)
class Machinery:
    """What all graphs of a runner work on.

    Attributes:
        decoder: the model.
        fused: its decode steps.
        kv: its pages.
        rows: what the device knows of each request.
        workspace: of the attention in mixed steps.
        pool: memory that the graphs share, for no two run at once.
        stream: on which they are captured; one for all, for cuBLAS keeps memory for each stream.
    """

    decoder: Decoder
    fused: DecodeStep
    kv: KvCache
    rows: DeviceRows
    workspace: AttentionWorkspace
    pool: Any
    stream: torch.cuda.Stream


class StepGraph(ABC):
    """A step that is captured once and replayed with other inputs.

    Attributes:
        flat: the report, as one tensor.
        report: what was drawn, once a step has run.
    """

    def __init__(self, places: int, machinery: Machinery) -> None:
        """Takes memory for a report of so many places."""
        self._machinery = machinery
        self._device = machinery.decoder.device
        self._graph: torch.cuda.CUDAGraph | None = None
        self.flat, self.report = Report.allocate(places, self._device)

    @abstractmethod
    def run(self) -> None:
        """Launches the step's operations one by one, on the inputs as they are."""

    def capture(self) -> None:
        """Makes the graph; no row may be in use in the inputs, so that nothing changes."""
        current, stream = torch.cuda.current_stream(), self._machinery.stream
        stream.wait_stream(current)
        # Not `torch.cuda.graph`, which collects garbage and waits for the device: others speak.
        with torch.cuda.stream(stream):
            self.run()  # loads the kernels
            # A graph that finds no memory when it begins ends the process where it is freed.
            torch.empty(_ROOM_BYTES, dtype=torch.uint8, device=self._device)
            graph = self._graph = torch.cuda.CUDAGraph()
            graph.capture_begin(self._machinery.pool, capture_error_mode="thread_local")
            try:
                self.run()
            finally:
                graph.capture_end()
        current.wait_stream(stream)

    def replay(self) -> None:
        """Starts the step."""
        assert self._graph is not None
        self._graph.replay()


class DecodeGraph(StepGraph):
    """Requests that decode, up to `shape.size`."""

    def __init__(self, shape: DecodeShape, machinery: Machinery) -> None:
        """Takes memory for the inputs; see `capture`."""
        super().__init__(shape.size, machinery)
        self._shape = shape
        # [3, size]: rows, positions, numbers of tokens drawn before; each at a multiple of 16 bytes
        self._inputs = torch.full((3, aligned(shape.size)), -1, dtype=torch.int32).to(self._device)
        self._expected: list[list[int]] = []  # what the inputs are after the last launch
        # Plain draws go straight to the host: [turns, size].
        self._mailbox = torch.zeros(_TURNS, shape.size, dtype=torch.int32, pin_memory=True)
        self._turn = torch.zeros(1, dtype=torch.int32, device=self._device)
        self._launches = 0

    def run(self) -> None:
        """See `StepGraph`."""
        own, size = self._machinery, self._shape.size
        state = own.rows.sampling
        rows, positions, indices = self._inputs[:, :size]
        logits = own.fused.logits(DecodeInputs(rows, positions, own.rows.tables, state.drawn))
        if self._shape.is_plain:
            maxima = own.rows.space.maxima[0, :size]
            dependent = own.fused.is_dependent(size)
            onward = Onward(positions, self._turn)
            draw(logits, rows, indices, state, maxima, self._mailbox, dependent, onward)
        else:
            draw_general(logits, rows, indices, state, own.rows.space, self.report)

    def capture(self) -> None:
        """See `StepGraph`."""
        super().capture()
        self._turn.zero_()

    def launch(self, items: Sequence[StepItem]) -> Tensor | None:
        """Starts a step; `report` holds the result after it, in the order of the items.

        A step that goes on where the last one ended finds its inputs on the device.

        Returns:
            where plain draws arrive on the host: [size], int32, to be read before some steps more
            are launched. None for others.
        """
        rows = [row_of(item) for item in items]
        positions = [item.start for item in items]
        indices = [index_of(item) for item in items]
        if self._expected != [rows, positions, indices]:
            host = np.full(self._inputs.shape, -1, dtype=np.int32)
            host[:, : len(rows)] = rows, positions, indices
            _copy(host, self._inputs)
        self._expected = []
        if self._shape.is_plain:
            self._expected = [rows, [p + 1 for p in positions], [i + 1 for i in indices]]
        self.replay()
        self._launches += 1
        return self._mailbox[self._launches % _TURNS] if self._shape.is_plain else None


class MixedGraph(StepGraph):
    """Requests that decode, and chunks of prompts beside them, of a certain shape.

    `report` has those who decode first, then prompts, from `shape.speakers` on.

    Attributes:
        shape: its size.
    """

    def __init__(self, shape: StepShape, machinery: Machinery) -> None:
        """Takes memory for the inputs; see `capture`."""
        super().__init__(shape.sequences, machinery)
        self.shape = shape
        self._inputs = torch.from_numpy(StepInputs.pack(shape, (), ())).to(self._device)
        # [3, tokens]: token ids, positions, slots
        self._gathered = torch.zeros(3, shape.tokens, dtype=torch.int64, device=self._device)

    def run(self) -> None:
        """See `StepGraph`."""
        own, state = self._machinery, self._machinery.rows.sampling
        given, positions, owners, lengths, rows, last, draws, indices, starts = self._inputs.split(
            StepInputs.sizes(self.shape)
        )
        token_ids, wide_positions, slots = self._gathered
        tables, block_size = own.rows.tables, own.kv.block_size
        gather_tokens(
            given,
            positions,
            owners,
            state.drawn,
            tables,
            block_size,
            token_ids,
            wide_positions,
            slots,
        )
        layout = PagedLayout(
            starts,
            lengths,
            tables.index_select(0, rows.clamp(min=0)),
            block_size,
            longest=self.shape.chunk,
            singles=self.shape.speakers,
            workspace=own.workspace,
        )
        batch = ModelBatch(token_ids, wide_positions, slots, layout)
        hidden = own.decoder.forward(batch, own.kv)  # [tokens, hidden]
        logits = own.decoder.logits(hidden.index_select(0, last))
        draw_all(logits, draws, indices, own.rows, self.report)

    def launch(self, speakers: Sequence[StepItem], prompts: Sequence[StepItem]) -> None:
        """Starts a step; `report` holds the result after it."""
        _copy(StepInputs.pack(self.shape, speakers, prompts), self._inputs)
        self.replay()


def mixed_workspace(decoder: Decoder, most_speakers: int) -> AttentionWorkspace:
    """Where the programs meet that share a sequence of a mixed step."""
    attention, device = decoder.spec.layers[0].attention, decoder.device
    processors = torch.cuda.get_device_properties(device).multi_processor_count
    programs = most_programs(most_speakers, attention.num_kv_heads, processors)
    group = attention.num_heads // attention.num_kv_heads
    return AttentionWorkspace(
        DecodeWorkspace(programs, group, attention.head_dim, device),
        PrefillWorkspace(2 * processors, group, attention.head_dim, decoder.dtype, device),
        torch.cuda.Stream(device),
    )


def aligned(count: int) -> int:
    """So many 32-bit numbers that what comes behind them begins at a multiple of 16 bytes.

    Kernels are compiled for the alignment of what they read: others would be others.
    """
    return -(-count // 4) * 4


def draw_all(
    logits: Tensor, rows: Tensor, indices: Tensor, device_rows: DeviceRows, report: Report
) -> None:
    """As `draw_general`, for any number of places: as many at once as there is space for."""
    places = device_rows.space.places
    for first in range(0, logits.shape[0], places):
        part = slice(first, first + places)
        draw_general(
            logits[part],
            rows[part],
            indices[part],
            device_rows.sampling,
            device_rows.space,
            report.part(part),
        )


def _copy(host: Ints, target: Tensor) -> None:
    target.copy_(torch.from_numpy(host).pin_memory(), non_blocking=True)
