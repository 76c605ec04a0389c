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
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload
from townsfolk_kernels.gpu.compiler import KernelCompiler
from townsfolk_kernels.sampling.logprobs import DrawReport

from townsfolk.engine.cuda_graphs import (
    MOST_FUSED,
    DecodeGraph,
    DecodeShape,
    MixedGraph,
    bucket,
)
from townsfolk.engine.cuda_steps import CudaSteps, Shape
from townsfolk.engine.device_failure import raise_if_failed
from townsfolk.engine.graph_cache import GraphCache
from townsfolk.engine.host_report import HostReport
from townsfolk.engine.late_changes import UNCHANGED, LateChanges, contrast_rows, share_draws
from townsfolk.engine.launched_step import LateDraws, LaunchedStep
from townsfolk.engine.pace import Pace
from townsfolk.engine.prompt_scores import add_scores, score_prompts
from townsfolk.engine.score_graph import Scored, ScoreGraph, score_eagerly, score_in_graphs
from townsfolk.engine.slot_adapters import SlotAdapters
from townsfolk.engine.step import ItemOutput, StepPlan
from townsfolk.engine.step_inputs import (
    DECODES,
    TOKENS,
    StepInputs,
    StepShape,
    graph_sizes,
    is_decode,
)
from townsfolk.grammar.matcher import Bits
from townsfolk.kv import KvCache
from townsfolk.models import Decoder
from townsfolk.models.batch import Chunk
from townsfolk.sampling import TokenInfo, plain_token
from townsfolk.sampling.triton_backend import is_plain

logger = logging.getLogger(__name__)

_MOST_WAIT_S = 7.0  # for kernels of graphs, where none is compiled yet
_ALIGNED = 4  # 32-bit numbers, behind which others begin at a multiple of 16 bytes
_SHORT_S = 0.0005  # a wait for which it is not worth it to sleep where masks come next
_TIMED = 16  # one of so many steps without prompts is timed


class CudaRunner:
    """See the module; a step ahead of the host."""

    depth = 2
    # A prompt in a step delays all its decodes; what it would gain is not measured.
    least_forced: int | None = None

    def __init__(
        self,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        context_length: int,
        adapters: int = 0,
        graph_tokens: int = TOKENS[-1],
    ) -> None:
        """Make a runner with state for `max_batch` sequences of up to `context_length` tokens.

        Kernels that every request needs are compiled before this returns; see `prepare` for graphs.
        All adapters that sequences name take `adapters` bytes at most; steps of up to
        `graph_tokens` tokens become graphs.
        """
        begin = time.perf_counter()
        self._device, self._decoder = decoder.device, decoder
        self._vocab_size = decoder.spec.vocab_size
        self._steps = CudaSteps.make(
            decoder, kv, eos_ids, max_batch, context_length, adapters, graph_tokens
        )
        self._resources = self._steps.resources
        self._general: set[int] = set()  # slots for which the plain sampling kernels won't do
        self.adapters = SlotAdapters(decoder, max_batch, self._steps.stack)
        self._long_from = self._steps.long_from
        self._graphs = GraphCache[Shape, DecodeGraph | MixedGraph | ScoreGraph](
            self._steps.graph, self._steps.wanted, KernelCompiler()
        )
        self._launched, self._waited = 0, 0.0  # seconds for a step, of late
        self._warm_up()
        logger.info("ready to speak after %.1f s", time.perf_counter() - begin)

    @property
    def mask_memory(self) -> Bits:
        """See `Runner`."""
        return self._resources.masks.memory

    def pace(self) -> Pace:
        """See `Runner`."""
        return Pace(graph_sizes(self._steps.graph_tokens))

    def launch(self, plan: StepPlan) -> LaunchedStep:
        """See `Runner`."""
        step = LaunchedStep(plan.items, plan.is_simple)
        refused = self._admit(plan) if plan.admitted else {}
        if plan.admitted or plan.grown:
            self._resources.tables.update(plan)
        self.adapters.update(plan)
        decodes: list[int] = []
        prompts: list[int] = []
        scored: list[int] = []
        for place, item in enumerate(plan.items):
            if refused and item.slot in refused:
                step.errors[place] = refused[item.slot]
            elif item.scoring is not None:
                scored.append(place)
            else:
                (decodes if is_decode(item) else prompts).append(place)
        self._launched += 1
        if not scored and (plan.timed or prompts or self._launched % _TIMED == 0):
            step.begin = _event(timed=True)
            step.begin.record()
        # The logits of a graph are there until the next one runs.
        step.keeps_logits = len(decodes) <= DECODES[-1]
        for first in range(0, len(decodes) - DECODES[-1], DECODES[-1]):
            self._run(step, decodes[first : first + DECODES[-1]], [])
        self._run(step, decodes[(len(decodes) - 1) // DECODES[-1] * DECODES[-1] :], prompts)
        self._run(step, [], scored)
        sleeps = not step.late or self._waited > _SHORT_S
        step.ready = _event(timed=step.begin is not None, sleeps=sleeps)
        step.ready.record()
        return step

    def mask(
        self,
        step: LaunchedStep,
        places: Sequence[int],
        masks: Bits,
        changes: LateChanges = UNCHANGED,
    ) -> None:
        """See `Runner`."""
        if changes.biases:
            slots = [step.items[place].slot for place in changes.biases]
            self._resources.sampler.adjust(slots, list(changes.biases.values()))
        if changes.contrasts:
            contrast_rows(step.late_logits(), changes.contrasts)
        for late in step.late:
            wanted, theirs = late.chosen(places, len(masks))
            if not wanted:
                continue
            try:
                slots = [step.items[place].slot for place, _ in wanted]
                own, at = self._resources.masks, [at for _, at in wanted]
                own.write(at, slots, masks if theirs is None else masks[theirs])
                host = late.draw(len(wanted) == len(late.places))
                own.note_drawn()
                if host is None:
                    self._download(step, wanted, late.flat, late.report)
                else:
                    step.draws.append((wanted, host))
            except Exception as error:
                raise_if_failed(self._device, error)
                step.errors.update((place, error) for place, _ in wanted)
        share_draws(self._resources.sampler.drawn, step.items, changes.contrasts)
        step.late.clear()
        assert step.ready is not None
        step.ready.record()

    def score(
        self, begun: int | None, chunks: Sequence[Chunk], next_ids: Sequence[int]
    ) -> list[float]:
        """See `Runner`."""
        scored = Scored(begun, chunks, next_ids)
        try:
            found = score_in_graphs(self._graphs, scored)
            return score_eagerly(self._resources, scored) if found is None else found
        except Exception as error:
            raise_if_failed(self._device, error)
            raise

    def collect(self, step: LaunchedStep) -> list[ItemOutput]:
        """See `Runner`."""
        assert step.ready is not None
        begin = time.perf_counter()
        try:
            step.ready.synchronize()
        except Exception as error:
            raise_if_failed(self._device, error)
            raise
        self._waited += (time.perf_counter() - begin - self._waited) / 8
        drawn: list[tuple[TokenInfo, ...]] = [()] * len(step.items)
        for places, host in step.draws:
            token_ids = host[: max(at for _, at in places) + 1].tolist()
            for place, at in places:
                drawn[place] = (plain_token(token_ids[at]),)
            if step.asks(places):
                report = HostReport(host)
                for place, at in places:
                    if (asked := step.items[place].logprobs) is not None:
                        drawn[place] = (report.token_info(at, asked),)
        outputs = [ItemOutput(tokens) for tokens in drawn]
        for place, why in step.errors.items():
            outputs[place].error = why
        for place, scored in step.scores:
            add_scores(outputs[place], scored, step.items[place].logprobs)
        return outputs

    def seconds(self, step: LaunchedStep) -> float | None:
        """See `Runner`."""
        if step.begin is None or step.ready is None:
            return None
        return float(step.begin.elapsed_time(step.ready)) / 1000

    def prepare(self) -> float | None:
        """See `Runner`: captures one graph."""
        return self._graphs.prepare()

    def close(self) -> None:
        """See `Runner`."""
        self._graphs.close()

    def _admit(self, plan: StepPlan) -> dict[int, Exception]:
        """Write how sequences that join draw; return what was wrong, by slot."""
        refused: dict[int, Exception] = self._resources.sampler.admit(
            [each.sampling for each in plan.admitted]
        )
        for each in plan.admitted:
            slot, params = each.sampling.slot, each.sampling.params
            if is_plain(params, self._vocab_size):
                self._general.discard(slot)
            else:
                self._general.add(slot)
        return refused

    def _warm_up(self) -> None:
        """Compile what a step needs that is launched operation by operation, and run it."""

        def run() -> None:
            # Places for sequences of both kinds, of which none is used.
            shape = StepShape(decodes=1, tokens=4, prefills=3, longest=3)
            inputs = upload(StepInputs.pack(shape, (), ()).flat, self._device)
            step = self._steps.eager(shape, inputs)
            step.draw_masked(step.run()[1])

        self._graphs.begin(run, _MOST_WAIT_S)
        run()
        torch.cuda.synchronize()

    def _run(self, step: LaunchedStep, decodes: list[int], prompts: list[int]) -> None:
        """Run some items; where that fails, each alone, so that only the faulty ones fail."""
        if not decodes and not prompts:
            return
        try:
            self._run_together(step, decodes, prompts)
        except Exception as error:
            raise_if_failed(self._device, error)
            if len(decodes) + len(prompts) > 1:
                logger.warning("a step failed; each sequence is computed alone", exc_info=error)
            for place in (*decodes, *prompts):
                self._run_alone(step, place)

    def _run_alone(self, step: LaunchedStep, place: int) -> None:
        is_decoded = is_decode(step.items[place])
        try:
            self._run_eagerly(step, [place] if is_decoded else [], [] if is_decoded else [place])
        except Exception as error:
            raise_if_failed(self._device, error)
            step.errors[place] = error

    def _run_together(self, step: LaunchedStep, decodes: list[int], prompts: list[int]) -> None:
        """Run some items: those at `decodes` decode, those at `prompts` have more tokens."""
        items = [step.items[place] for place in decodes]
        chunks = [step.items[place] for place in prompts]
        shape: Shape | None
        adapted = self.adapters.any_of((*items, *chunks))
        is_late = is_paired = False
        if not step.is_simple:
            is_late = any(item.masked for item in (*items, *chunks))
            # Its logits are changed before they are drawn from; most graphs' have no owner.
            is_paired = any(item.paired for item in (*items, *chunks))
        if (
            # Of graphs with prompts none knows adapters.
            (adapted and (prompts or not self.adapters.in_stack(items)))
            or (not step.is_simple and any(chunk.scoring is not None for chunk in chunks))
            or (is_late and not step.keeps_logits)
            or (is_paired and (prompts or len(decodes) > MOST_FUSED))
        ):
            shape = None
        elif not prompts and len(decodes) <= MOST_FUSED:
            plain = not self._general or not any(item.slot in self._general for item in items)
            all_late = plain and all(item.masked for item in items)
            plain = plain and (all_late or not is_late)
            shape = DecodeShape(
                bucket(len(decodes)), plain, adapted=adapted, is_masked=all_late and not is_paired
            )
            if is_paired:
                shape = replace(shape, is_plain=False, is_paired=True)
            if len(items) == 1 and self._long_from is not None and not adapted:
                long = replace(shape, is_long=True)
                if items[0].start >= self._long_from and self._graphs.get(long) is not None:
                    shape = long  # until it is there, the other is right, too
        elif adapted:
            shape = None  # more than the fused kernels take
        else:
            tokens = sum(chunk.count for chunk in chunks)
            shape = StepShape.fitting(len(decodes), len(prompts), tokens, self._steps.graph_tokens)
        graph = None if shape is None else self._graphs.get(shape)
        if graph is None:
            self._run_eagerly(step, decodes, prompts)
            return
        places = list(zip(decodes, range(len(decodes)), strict=True))
        if isinstance(graph, DecodeGraph):
            host = graph.launch(items)
            if host is not None:
                step.draws.append((places, host))
                return
        else:
            assert isinstance(graph, MixedGraph)
            graph.launch(items, chunks)
            first = graph.shape.decodes
            places += zip(prompts, range(first, first + len(prompts)), strict=True)
        replay = graph.replay_masked
        self._take(step, LateDraws(places, replay, graph.logits, graph.flat, graph.report))

    def _run_eagerly(self, step: LaunchedStep, decodes: list[int], prompts: list[int]) -> None:
        """Run a mixed step at the exact size of these items, operation by operation."""
        items = [step.items[place] for place in decodes]
        chunks = [step.items[place] for place in prompts]
        shape = StepShape.exact(items, chunks, multiple=_ALIGNED)
        inputs = upload(StepInputs.pack(shape, items, chunks).flat, self._device)
        mixed = self._steps.eager(shape, inputs)
        hidden, logits = mixed.run(self.adapters.rows((*items, *chunks)))
        ends = np.cumsum([len(items), *(chunk.count for chunk in chunks)]).tolist()
        scored = [
            (place, chunk, hidden[begin:end])
            for place, chunk, (begin, end) in zip(prompts, chunks, pairwise(ends), strict=True)
            if chunk.scoring is not None
        ]
        if scored:
            _, asking, parts = zip(*scored, strict=True)
            scores = score_prompts(self._decoder, asking, parts)
            step.scores += [(scored[number][0], each) for number, each in scores]
        places = decodes + prompts
        rows = list(zip(places, range(len(places)), strict=True))

        def draw_masked(_: bool) -> None:
            mixed.draw_masked(logits)

        self._take(step, LateDraws(rows, draw_masked, logits, mixed.flat, mixed.report))

    def _take(self, step: LaunchedStep, launched: LateDraws) -> None:
        """Have what a launch draws copied to the host, and note what it draws late."""
        late: list[tuple[int, int]] = []
        now = launched.places
        if not step.is_simple:
            late = [each for each in launched.places if step.items[each[0]].masked]
            now = [each for each in launched.places if not step.items[each[0]].masked]
        self._download(step, now, launched.flat, launched.report)
        if late:
            step.late.append(replace(launched, places=late))

    def _download(
        self, step: LaunchedStep, places: list[tuple[int, int]], flat: Tensor, report: DrawReport
    ) -> None:
        """Have what was drawn copied to the host, where it is once the step is ready."""
        wanted = [(place, at) for place, at in places if step.items[place].draws]
        if not wanted:
            return
        source = flat if step.asks(wanted) else report.tokens
        host = _pinned(source)
        host.copy_(source, non_blocking=True)
        step.draws.append((wanted, host))


def _pinned(source: Tensor) -> Tensor:
    """Return memory of the host for a copy, which the device writes while the host goes on."""
    return torch.empty(source.shape, dtype=source.dtype, pin_memory=True)


def _event(*, timed: bool, sleeps: bool = True) -> torch.cuda.Event:
    """Return an event that a thread sleeps for: a game wants the processor that would poll.

    It costs nothing, as the next step is launched already: at batch 1 0.38 instead of 1.07 of a
    processor, at batch 32 0.70 instead of 1.13, with the same tokens a second (Llama-3.2-1B, H200).
    But the masks of the next step wait for it, and a thread that is woken up comes 0.1 ms late.
    """
    return torch.cuda.Event(enable_timing=timed, blocking=sleeps)
