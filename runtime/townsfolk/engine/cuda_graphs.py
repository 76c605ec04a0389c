"""Steps as CUDA graphs of model and sampler: of those who decode, and with prompts beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout
from townsfolk_kernels.triton.attention import DecodeWorkspace, most_programs
from townsfolk_kernels.triton.gather import gather_tokens
from townsfolk_kernels.triton.sampling import draw

from townsfolk.engine.device_rows import DeviceRows
from townsfolk.engine.scheduler import StepItem
from townsfolk.engine.step_shape import Ints, StepInputs, StepShape, index_of, row_of
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.fused_decode import DecodeInputs, FusedDecode

MOST_FUSED = 64
"""The fused kernels hold all rows of a batch in one tile."""

# Below 8 a row more costs the most; above, groups of 8 share a graph.
_SMALL = (1, 2, 4, 8)


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
    """

    decoder: Decoder
    fused: FusedDecode
    kv: KvCache
    rows: DeviceRows
    workspace: DecodeWorkspace
    pool: tuple[int, int]


class StepGraph(ABC):
    """A step that is captured once and replayed with other inputs."""

    def __init__(self) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None

    @abstractmethod
    def run(self) -> None:
        """Launches the step's operations one by one, on the inputs as they are."""

    def capture(self, pool: tuple[int, int]) -> None:
        """Makes the graph; no row may be in use in the inputs, so that nothing changes."""
        device = torch.cuda.current_device()
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        graph = torch.cuda.CUDAGraph()
        # Not `torch.cuda.graph`, which collects garbage and waits for the device: others speak.
        with torch.cuda.stream(stream):
            self.run()  # loads the kernels
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                self.run()
            finally:
                graph.capture_end()
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = graph

    def replay(self) -> None:
        """Starts the step."""
        assert self._graph is not None
        self._graph.replay()


class DecodeGraph(StepGraph):
    """Requests that decode, up to `size`.

    Attributes:
        tokens: [size], int32, what each has drawn.
    """

    def __init__(self, size: int, machinery: Machinery) -> None:
        """Takes memory for the inputs; see `capture`."""
        super().__init__()
        device = machinery.decoder.device
        # [3, size]: rows, positions, numbers of tokens drawn before
        self._inputs = torch.full((3, size), -1, dtype=torch.int32, device=device)
        self._size = size
        self._machinery = machinery
        self.tokens = torch.zeros(size, dtype=torch.int32, device=device)

    def run(self) -> None:
        """See `StepGraph`."""
        own, size = self._machinery, self._size
        rows, positions, indices = self._inputs
        inputs = DecodeInputs(rows, positions, own.rows.tables, own.rows.sampling.drawn)
        logits = own.fused.logits(inputs)
        maxima = own.rows.maxima[:size]
        dependent = own.fused.is_dependent(size)
        draw(logits, rows, indices, own.rows.sampling, maxima, self.tokens, dependent)

    def launch(self, items: Sequence[StepItem]) -> None:
        """Starts a step; `tokens` holds the result after it, in the order of the items."""
        host = np.full(self._inputs.shape, -1, dtype=np.int32)
        for part, values in zip(host, _decode_inputs(items), strict=True):
            part[: len(items)] = values
        _copy(host, self._inputs)
        self.replay()


class MixedGraph(StepGraph):
    """Requests that decode, and chunks of prompts beside them, of a certain shape.

    Attributes:
        tokens: [sequences], int32, what each has drawn, those who decode first.
    """

    def __init__(self, shape: StepShape, machinery: Machinery) -> None:
        """Takes memory for the inputs; see `capture`."""
        super().__init__()
        device = machinery.decoder.device
        self.shape = shape
        self._machinery = machinery
        self._inputs = torch.from_numpy(StepInputs.pack(shape, (), ())).to(device)
        # [3, tokens]: token ids, positions, slots
        self._gathered = torch.zeros(3, shape.tokens, dtype=torch.int64, device=device)
        self.tokens = torch.zeros(shape.sequences, dtype=torch.int32, device=device)

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
        maxima = own.rows.maxima[: self.shape.sequences]
        draw(logits, draws, indices, state, maxima, self.tokens)

    def launch(self, speakers: Sequence[StepItem], prompts: Sequence[StepItem]) -> None:
        """Starts a step; `tokens` holds the result after it."""
        _copy(StepInputs.pack(self.shape, speakers, prompts), self._inputs)
        self.replay()


def mixed_workspace(decoder: Decoder, most_speakers: int) -> DecodeWorkspace:
    """Where programs meet that share a sequence of a mixed step."""
    config, device = decoder.config, decoder.device
    processors = torch.cuda.get_device_properties(device).multi_processor_count
    programs = most_programs(most_speakers, config.num_kv_heads, processors)
    group = config.num_heads // config.num_kv_heads
    return DecodeWorkspace(programs, group, config.head_dim, device)


def _decode_inputs(items: Sequence[StepItem]) -> tuple[list[int], list[int], list[int]]:
    rows = [row_of(item) for item in items]
    return rows, [item.start for item in items], [index_of(item) for item in items]


def _copy(host: Ints, target: Tensor) -> None:
    target.copy_(torch.from_numpy(host).pin_memory(), non_blocking=True)
