"""Runs steps on a CUDA device without ever waiting for it inside a step.

Steps in which every request decodes are CUDA graphs of model and sampler; the token that a row drew
is fed back on the device, so the next step is launched before the host has read this one. Steps
with prompts in them are launched operation by operation.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout
from townsfolk_kernels.triton.sampling import SamplingRows, draw

from townsfolk.engine.cuda_graphs import DecodeGraph, bucket
from townsfolk.engine.device_rows import (
    TableRows,
    samples_in_kernel,
    upload,
    write_sampling_rows,
)
from townsfolk.engine.request import Request
from townsfolk.engine.runner import EagerRunner, EagerStep
from townsfolk.engine.scheduler import StepItem, StepPlan
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.fused_decode import FusedDecode
from townsfolk.sampling import SampledTokens

logger = logging.getLogger(__name__)

# The kernels hold all rows of a batch in one tile; larger batches go operation by operation.
_MOST_FUSED = 64
_SPARE_BLOCKS = 8  # a table may be a few blocks ahead of its sequence


class CudaRunner(EagerRunner):
    """Prompts as `EagerRunner` runs them, decoding by graphs; a step ahead of the host."""

    def __init__(
        self,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        context_length: int,
    ) -> None:
        """Makes a runner with state for `max_batch` requests of up to `context_length` tokens."""
        super().__init__(decoder, kv, eos_ids, max_batch, depth=2)
        device = decoder.device
        self._device = device
        self._eos_ids = tuple(eos_ids)
        self._state = SamplingRows.allocate(max_batch, device)
        max_blocks = -(-context_length // kv.block_size) + _SPARE_BLOCKS
        self._rows = TableRows(max_batch, max_blocks, device)
        self._in_kernel = [True] * max_batch  # whether the sampling kernel draws for a row
        self._admitted: list[Request] = []
        self._largest = largest = bucket(min(max_batch, _MOST_FUSED))
        self._decode = FusedDecode(decoder, kv, largest, context_length)
        self._maxima = torch.empty(
            max(max_batch, largest), -(-decoder.config.vocab_size // 64), device=device
        )
        self._graphs: dict[tuple[int, bool], DecodeGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._warm_up(largest)

    def _warm_up(self, largest: int) -> None:
        """Compiles all kernels and captures the common graphs, so that no reply waits for it."""
        begin = time.perf_counter()
        # Two sequences, one of them decoding, in block 0, which nobody holds yet.
        ids = torch.zeros(3, dtype=torch.int64, device=self._device)
        slots = torch.arange(3, device=self._device) % self._kv.block_size
        starts, lengths = torch.tensor([[0, 2, 3], [2, 3, 0]], device=self._device).int()
        tables = torch.zeros(2, 3, dtype=torch.int32, device=self._device)
        layout = PagedLayout(starts, lengths[:2], tables, self._kv.block_size, longest=2)
        self._decoder.logits(self._decoder.forward(ModelBatch(ids, ids, slots, layout), self._kv))
        for size in sorted({bucket(batch) for batch in range(1, largest + 1)}):
            self._graph(size, draws=True)
        torch.cuda.synchronize()
        logger.info("kernels and graphs ready after %.1f s", time.perf_counter() - begin)

    def launch(self, plan: StepPlan) -> EagerStep:
        """See `Runner`."""
        for row in plan.vacated:
            self._rows.forget(row)
        step = super().launch(plan)
        step.ready = torch.cuda.Event()
        step.ready.record()
        return step

    def _admit(self, request: Request) -> None:
        row, params = request.row, request.params
        assert row is not None
        params.check_vocabulary(self._decoder.config.vocab_size)
        ends = {*self._eos_ids, *params.stop_token_ids}
        self._in_kernel[row] = samples_in_kernel(params, len(ends))
        if not self._in_kernel[row]:
            super()._admit(request)
        self._admitted.append(request)

    def _compute(self, step: EagerStep, places: Sequence[int]) -> None:
        if self._admitted:
            write_sampling_rows(self._state, self._admitted, self._eos_ids)
            self._admitted = []
        items = [step.items[place] for place in places]
        self._rows.update([item.request for item in items])
        decoding = all(item.count == 1 and item.samples for item in items)
        scoring = any(item.request.scores_prompt for item in items)
        if decoding and not scoring and len(items) <= self._largest:
            self._run_graph(step, places, items)
        else:
            self._run_prompts(step, places, items)

    def _run_graph(self, step: EagerStep, places: Sequence[int], items: Sequence[StepItem]) -> None:
        rows = [_row(item) for item in items]
        draws = all(self._in_kernel[row] for row in rows)
        graph = self._graph(bucket(len(rows)), draws)
        positions = [item.start for item in items]
        graph.launch(rows, positions, [_index(item) for item in items])
        if draws:
            self._download(step, places, graph.tokens[: len(rows)])
        else:
            self._draw_each(step, list(places), graph.logits[: len(rows)])

    def _graph(self, size: int, draws: bool) -> DecodeGraph:
        graph = self._graphs.get((size, draws))
        if graph is None:
            graph = self._graphs[size, draws] = DecodeGraph(
                size, self._decode, self._rows.tables, self._state, self._maxima, self._pool, draws
            )
        return graph

    def _run_prompts(
        self, step: EagerStep, places: Sequence[int], items: Sequence[StepItem]
    ) -> None:
        batch, ends = self._batch(items)
        hidden = self._decoder.forward(batch, self._kv)  # [tokens, hidden]
        for place, item, end in zip(places, items, ends, strict=True):
            if item.request.scores_prompt:
                self._score_prompt(step, place, hidden[end - item.count : end])
        drawing = [
            (place, end - 1)
            for place, item, end in zip(places, items, ends, strict=True)
            if item.samples
        ]
        if drawing:
            last = upload(np.array([row for _, row in drawing]), self._device)
            logits = self._decoder.logits(hidden.index_select(0, last))
            self._draw_each(step, [place for place, _ in drawing], logits)

    def _batch(self, items: Sequence[StepItem]) -> tuple[ModelBatch, list[int]]:
        """The flat batch, uploaded at once, and one past each item's last token in it."""
        block_size = self._kv.block_size
        counts = [item.count for item in items]
        ends = np.cumsum(counts)
        total, sequences = int(ends[-1]), len(items)
        lengths = [item.start + item.count for item in items]
        width = max(-(-length // block_size) for length in lengths)
        tokens = np.zeros((3, total), dtype=np.int64)  # token ids, positions, slots
        tables = np.zeros((sequences, width), dtype=np.int64)
        pending: list[tuple[int, int]] = []  # place in the flat batch, row that drew it
        for number, (item, length, end) in enumerate(zip(items, lengths, ends, strict=True)):
            own = slice(end - item.count, end)
            known = item.request.token_ids[item.start : length]
            tokens[0, end - item.count : end - item.count + len(known)] = known
            if len(known) < item.count:
                pending.append((int(end) - 1, _row(item)))
            blocks = item.request.table.block_ids[: -(-length // block_size)]
            tables[number, : len(blocks)] = blocks
            positions = np.arange(item.start, length)
            tokens[1, own] = positions
            tokens[2, own] = tables[number, positions // block_size] * block_size
            tokens[2, own] += positions % block_size
        parts = (tokens, tables, np.array([0, *ends]), np.array(lengths), np.array(pending))
        flat = upload(
            np.concatenate([part.reshape(-1).astype(np.int64) for part in parts]), self._device
        )
        on_device = flat.split([part.size for part in parts])
        token_ids, positions_, slots = on_device[0].view(3, total)
        if pending:
            at = on_device[4].view(-1, 2)
            token_ids.index_copy_(0, at[:, 0], self._state.drawn[at[:, 1]].long())
        layout = PagedLayout(
            query_starts=on_device[2].int(),
            kv_lengths=on_device[3].int(),
            block_tables=on_device[1].view(sequences, width).int(),
            block_size=block_size,
            longest=max(counts),
        )
        return ModelBatch(token_ids, positions_, slots, layout), ends.tolist()

    def _draw_each(self, step: EagerStep, places: list[int], logits: Tensor) -> None:
        """Draws a token for each item from logits [items, vocab], each in the way it needs."""
        items = [step.items[place] for place in places]
        rows = [_row(item) for item in items]
        simple = [number for number, row in enumerate(rows) if self._in_kernel[row]]
        others = [number for number, row in enumerate(rows) if not self._in_kernel[row]]
        if others:
            chosen = upload(np.array(others), self._device)
            self._draw(step, [places[number] for number in others], logits[chosen])
        if simple:
            marked = [row if self._in_kernel[row] else -1 for row in rows]
            indices = [_index(item) for item in items]
            inputs = upload(np.array([marked, indices], dtype=np.int32), self._device)
            tokens = torch.zeros(len(rows), dtype=torch.int32, device=self._device)
            maxima = self._maxima[: len(rows)]
            draw(logits, inputs[0], inputs[1], self._state, maxima, tokens)
            if others:
                tokens = tokens[upload(np.array(simple), self._device)]
            self._download(step, [places[number] for number in simple], tokens)

    def _sample(self, step: EagerStep, places: list[int], logits: Tensor) -> SampledTokens:
        items = [step.items[place] for place in places]
        rows = [_row(item) for item in items]
        sampled = self._sampler.sample(logits, rows, [_index(item) for item in items])
        at = upload(np.array(rows), self._device)
        self._state.drawn.index_copy_(0, at, sampled.token_ids.int())
        return sampled

    def _download(self, step: EagerStep, places: Sequence[int], tokens: Tensor) -> None:
        """Has tokens [items] copied to the host, where they are once the step is ready."""
        host = torch.empty(tokens.shape, dtype=tokens.dtype, pin_memory=True)
        host.copy_(tokens, non_blocking=True)
        unknown = torch.empty(0)  # nobody asked for log-probabilities
        step.draws.append((list(places), SampledTokens(host, unknown, None, None)))


def _row(item: StepItem) -> int:
    assert item.request.row is not None
    return item.request.row


def _index(item: StepItem) -> int:
    """How many tokens the request has drawn before the item's."""
    return item.start + item.count - item.request.prompt_length
