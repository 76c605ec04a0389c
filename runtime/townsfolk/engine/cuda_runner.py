"""Runs steps on a CUDA device without ever waiting for it inside a step.

Steps are CUDA graphs of model and sampler, in a few sizes: of requests that decode, and of such
with chunks of prompts beside them. The token that a row drew is fed back on the device, so the next
step is launched before the host has read this one. Steps that are larger than any graph, or whose
graph is not made yet, are launched operation by operation.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout
from townsfolk_kernels.triton.compiler import KernelCompiler
from townsfolk_kernels.triton.logprobs import Report

from townsfolk.engine.cuda_graphs import (
    MOST_FUSED,
    DecodeGraph,
    DecodeShape,
    Machinery,
    MixedGraph,
    aligned,
    bucket,
    draw_all,
    mixed_workspace,
)
from townsfolk.engine.device_rows import DeviceRows, is_plain, upload
from townsfolk.engine.graph_book import GraphBook
from townsfolk.engine.outputs import TokenInfo
from townsfolk.engine.runner import ItemOutput, add_scores, score_prompt
from townsfolk.engine.scheduler import StepItem, StepPlan
from townsfolk.engine.step_shape import (
    SPEAKERS,
    TOKENS,
    StepShape,
    index_of,
    row_of,
)
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.decode_step import choose_step
from townsfolk.sampling import SampledTokens

logger = logging.getLogger(__name__)

_SPARE_BLOCKS = 8  # a table may be a few blocks ahead of its sequence
_MOST_WAIT_S = 7.0  # for kernels of graphs, where none is compiled yet
_TIMED = 16  # one of so many steps without prompts is timed

Shape = DecodeShape | StepShape


@dataclass(slots=True)
class CudaStep:
    """A step that was launched.

    Attributes:
        items: the plan's.
        draws: for each launch, places in `items` with places in a report, and the report's copy on
            the host.
        scores: places in `items`, and the scored tokens that follow in the prompt.
        begin: when it begins, where it is timed.
        ready: when all has arrived on the host.
    """

    items: Sequence[StepItem]
    draws: list[tuple[list[tuple[int, int]], Tensor]] = field(default_factory=list)
    scores: list[tuple[int, SampledTokens]] = field(default_factory=list)
    begin: torch.cuda.Event | None = None
    ready: torch.cuda.Event | None = None


class CudaRunner:
    """See the module; a step ahead of the host."""

    depth = 2
    sizes: Sequence[tuple[int, int]] = [(each, total) for each in SPEAKERS for total in TOKENS]

    def __init__(
        self,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        context_length: int,
    ) -> None:
        """Makes a runner with state for `max_batch` requests of up to `context_length` tokens.

        Kernels that every request needs are compiled before this returns; see `prepare` for graphs.
        """
        begin = time.perf_counter()
        device, vocab_size = decoder.device, decoder.spec.vocab_size
        self._device, self._decoder, self._kv = device, decoder, kv
        largest = bucket(min(max_batch, MOST_FUSED))
        # A multiple of four, for which kernels need be compiled but once.
        max_blocks = -(-(-(-context_length // kv.block_size) + _SPARE_BLOCKS) // 16) * 16
        self._rows = DeviceRows(max_batch, max_blocks, vocab_size, largest, eos_ids, device)
        self._is_plain = [True] * max_batch
        most_speakers = next((places for places in SPEAKERS if places >= max_batch), SPEAKERS[-1])
        workspace = mixed_workspace(decoder, most_speakers)
        self._machinery = Machinery(
            decoder,
            choose_step(decoder, kv, largest, context_length, workspace),
            kv,
            self._rows,
            workspace,
            torch.cuda.graph_pool_handle(),
            torch.cuda.Stream(device),
        )
        self._book = GraphBook[Shape, DecodeGraph | MixedGraph](
            self._make_graph, _wanted(largest, most_speakers), KernelCompiler()
        )
        self._launched = 0
        self._warm_up()
        logger.info("ready to speak after %.1f s", time.perf_counter() - begin)

    def launch(self, plan: StepPlan) -> CudaStep:
        """See `Runner`."""
        for row in plan.vacated:
            self._rows.forget(row)
        for request in plan.admitted:
            assert request.row is not None
            self._is_plain[request.row] = is_plain(request.params, self._decoder.spec.vocab_size)
        self._rows.admit(plan.admitted)
        self._rows.update([item.request for item in plan.items])
        step = CudaStep(plan.items)
        speakers: list[int] = []
        prompts: list[int] = []
        for place, item in enumerate(plan.items):
            (speakers if item.count == 1 and item.samples else prompts).append(place)
        self._launched += 1
        if prompts or self._launched % _TIMED == 0:
            step.begin = _event(timed=True)
            step.begin.record()
        if any(item.request.scores_prompt for item in plan.items):
            self._run_eagerly(step, speakers, prompts)
        else:
            *full, last = range(0, max(len(speakers), 1), SPEAKERS[-1])
            for first in full:
                self._run(step, speakers[first : first + SPEAKERS[-1]], [])
            self._run(step, speakers[last:], prompts)
        step.ready = _event(timed=step.begin is not None)
        step.ready.record()
        return step

    def collect(self, step: CudaStep) -> list[ItemOutput]:
        """See `Runner`."""
        assert step.ready is not None
        step.ready.synchronize()
        outputs = [ItemOutput() for _ in step.items]
        for places, host in step.draws:
            report = Report.of(host) if _asks(step, places) else None
            tokens = host[: max(at for _, at in places) + 1].tolist()
            for place, at in places:
                asked = step.items[place].request.params.logprobs
                if report is None or asked is None:
                    outputs[place].token = TokenInfo(tokens[at])
                else:
                    outputs[place].token = _token_info(report, at, asked)
        for place, scored in step.scores:
            add_scores(outputs[place], step.items[place], scored)
        return outputs

    def seconds(self, step: CudaStep) -> float | None:
        """See `Runner`."""
        if step.begin is None or step.ready is None:
            return None
        milliseconds: float = step.begin.elapsed_time(step.ready)
        return milliseconds / 1000

    def prepare(self) -> float | None:
        """See `Runner`: captures one graph."""
        return self._book.prepare()

    def close(self) -> None:
        """See `Runner`."""
        self._book.close()

    def _make_graph(self, shape: Shape) -> DecodeGraph | MixedGraph:
        if isinstance(shape, DecodeShape):
            return DecodeGraph(shape, self._machinery)
        return MixedGraph(shape, self._machinery)

    def _warm_up(self) -> None:
        """Compiles what a step needs that is launched operation by operation, and runs it."""

        def run() -> None:
            # Two sequences, one of them decoding, of which nothing is stored and nothing drawn.
            ids = torch.zeros(3, dtype=torch.int64, device=self._device)
            fields = [[0, 1, 3, 3], [1, 2, 0, 0], [-1, -1, -1, -1]]
            starts, lengths, rows = torch.tensor(fields, device=self._device).int()
            tables = self._rows.tables.index_select(0, starts[:2] * 0)
            block_size = self._kv.block_size
            layout = PagedLayout(starts[:3], lengths[:2], tables, block_size, longest=2, singles=1)
            batch = ModelBatch(ids, ids, ids - 1, layout)
            logits = self._decoder.logits(self._decoder.forward(batch, self._kv)[:2])
            _, report = Report.allocate(2, self._device)
            draw_all(logits, rows[:2], rows[:2], self._rows, report)

        self._book.begin(run, _MOST_WAIT_S)
        run()
        torch.cuda.synchronize()

    def _run(self, step: CudaStep, speakers: list[int], prompts: list[int]) -> None:
        """Runs some items: those at `speakers` decode, those at `prompts` have more tokens."""
        items = [step.items[place] for place in speakers]
        chunks = [step.items[place] for place in prompts]
        shape: Shape | None
        if not prompts and len(speakers) <= MOST_FUSED:
            plain = all(self._is_plain[row_of(item)] for item in items)
            shape = DecodeShape(bucket(len(speakers)), plain)
        else:
            tokens = sum(chunk.count for chunk in chunks)
            shape = StepShape.fitting(len(speakers), len(prompts), tokens)
        graph = None if shape is None else self._book.get(shape)
        if graph is None:
            self._run_eagerly(step, speakers, prompts)
            return
        places = list(zip(speakers, range(len(speakers)), strict=True))
        if isinstance(graph, DecodeGraph):
            host = graph.launch(items)
            if host is not None:
                step.draws.append((places, host))
                return
        else:
            graph.launch(items, chunks)
            first = graph.shape.speakers
            places += zip(prompts, range(first, first + len(prompts)), strict=True)
        self._download(step, places, graph.flat, graph.report)

    def _run_eagerly(self, step: CudaStep, speakers: list[int], prompts: list[int]) -> None:
        places = speakers + prompts
        items = [step.items[place] for place in places]
        ends = np.cumsum([0, *(item.count for item in items)]).tolist()
        hidden = self._decoder.forward(self._batch(items, len(speakers)), self._kv)
        for place, item, (begin, end) in zip(places, items, pairwise(ends), strict=True):
            for scored in score_prompt(self._decoder, item, hidden[begin:end]):
                step.scores.append((place, scored))
        drawing = [number for number, item in enumerate(items) if item.samples]
        if not drawing:
            return
        fields = [
            [ends[number + 1] - 1 for number in drawing],
            [row_of(items[number]) for number in drawing],
            [index_of(items[number]) for number in drawing],
        ]
        count = len(drawing)
        padded = np.zeros((3, aligned(count)), dtype=np.int32)
        padded[:, :count] = fields
        last, rows, indices = upload(padded, self._device)[:, :count]
        flat, report = Report.allocate(count, self._device)
        report = report.part(slice(0, count))
        draw_all(
            self._decoder.logits(hidden.index_select(0, last)), rows, indices, self._rows, report
        )
        drawn = [(places[number], at) for at, number in enumerate(drawing)]
        self._download(step, drawn, flat, report)

    def _batch(self, items: Sequence[StepItem], speakers: int) -> ModelBatch:
        """The flat batch, uploaded at once; the first items decode."""
        block_size = self._kv.block_size
        total = sum(item.count for item in items)
        tokens = np.zeros((3, aligned(total)), dtype=np.int64)  # token ids, positions, slots
        starts = np.zeros(len(items) + 1, dtype=np.int64)
        pending: list[tuple[int, int]] = []  # place in the flat batch, row that drew it
        for number, item in enumerate(items):
            begin, length = int(starts[number]), item.start + item.count
            end = starts[number + 1] = begin + item.count
            known = item.request.token_ids[item.start : length]
            tokens[0, begin : begin + len(known)] = known
            if len(known) < item.count:
                pending.append((end - 1, row_of(item)))
            positions = np.arange(item.start, length)
            blocks = np.array(item.request.table.block_ids, dtype=np.int64)
            tokens[1, begin:end] = positions
            tokens[2, begin:end] = (
                blocks[positions // block_size] * block_size + positions % block_size
            )
        lengths = np.array([item.start + item.count for item in items])
        rows = np.array([row_of(item) for item in items])
        parts = (tokens, starts, lengths, rows, np.array(pending, dtype=np.int64))
        flat = upload(np.concatenate([part.reshape(-1) for part in parts]), self._device)
        given, starts_, lengths_, rows_, pending_ = flat.split([part.size for part in parts])
        token_ids, positions_, slots = given.view(3, -1)[:, :total]
        if pending:
            at = pending_.view(-1, 2)
            drawn = self._rows.sampling.drawn[at[:, 1]]
            token_ids.index_copy_(0, at[:, 0], drawn.long())
        layout = PagedLayout(
            query_starts=starts_.int(),
            kv_lengths=lengths_.int(),
            block_tables=self._rows.tables.index_select(0, rows_),
            block_size=block_size,
            longest=max(item.count for item in items),
            singles=speakers,
        )
        return ModelBatch(token_ids, positions_, slots, layout)

    def _download(
        self, step: CudaStep, places: list[tuple[int, int]], flat: Tensor, report: Report
    ) -> None:
        """Has what was drawn copied to the host, where it is once the step is ready."""
        wanted = [(place, at) for place, at in places if step.items[place].samples]
        if not wanted:
            return
        source = flat if _asks(step, wanted) else report.tokens
        host = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        host.copy_(source, non_blocking=True)
        step.draws.append((wanted, host))


def _event(*, timed: bool) -> torch.cuda.Event:
    """One that a thread sleeps for: the game wants the processor that would ask again and again.

    It costs nothing, as the next step is launched already: at one speaker 0.38 instead of 1.07 of a
    processor, at 32 0.70 instead of 1.13, with the same tokens a second (Llama-3.2-1B, H200).
    """
    return torch.cuda.Event(enable_timing=timed, blocking=True)


def _wanted(largest: int, most_speakers: int) -> list[Shape]:
    """Graphs to make beforehand: first what one player's talk with few characters needs."""
    sizes = sorted({bucket(batch) for batch in range(1, largest + 1)})
    mixed: list[Shape] = [
        StepShape(speakers, tokens)
        for speakers in SPEAKERS
        for tokens in TOKENS
        if speakers <= most_speakers and (tokens > speakers or speakers > MOST_FUSED)
        if tokens >= speakers
    ]
    first: list[Shape] = [DecodeShape(1, True), *mixed[: len(TOKENS)]]
    plain: list[Shape] = [DecodeShape(size, True) for size in sizes[1:]]
    general: list[Shape] = [DecodeShape(size, False) for size in sizes]
    return [*first, *plain, *mixed[len(TOKENS) :], *general]


def _asks(step: CudaStep, places: Sequence[tuple[int, int]]) -> bool:
    """Whether log-probabilities are wanted for any of some items."""
    return any(step.items[place].request.params.logprobs is not None for place, _ in places)


def _token_info(report: Report, at: int, asked: int) -> TokenInfo:
    top = zip(
        report.top_ids[at, :asked].tolist(), report.top_logprobs[at, :asked].tolist(), strict=True
    )
    return TokenInfo(int(report.tokens[at]), float(report.logprobs[at]), tuple(top))
