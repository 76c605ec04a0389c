"""What runs behind an engine: memory, scheduler and loop, and the thread that they belong to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

import psutil
import torch

from townsfolk.config import EngineSettings
from townsfolk.engine.branches import BranchScorer
from townsfolk.engine.errors import EngineFailedError, TooManyReportersError
from townsfolk.engine.loop import EngineLoop
from townsfolk.engine.memory import MemoryPlan
from townsfolk.engine.open_requests import OpenRequests
from townsfolk.engine.pacing import MOST_REPORTERS, FramePacer, FrameReport
from townsfolk.engine.residency import Residency, Resident
from townsfolk.engine.responder import Responder
from townsfolk.engine.response import Response
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.stats import EngineStats, Meter, StepObserver
from townsfolk.engine.thread import EngineThread
from townsfolk.grammar import MaskRows
from townsfolk.kv import BlockPool
from townsfolk.kv.cache import MIB
from townsfolk.models import Decoder
from townsfolk.models.loading import Progress

Result = TypeVar("Result")


class EngineCore:
    """Steps of a model, and what is told to its thread from others.

    Attributes:
        pool: the KV blocks.
        scheduler: of the requests; belongs to the thread, but for its counters.
        loop: the thread's work; its methods are commands for `done`.
        open_requests: those that have not ended.
        plan: the memory that all of it takes.
    """

    def __init__(
        self,
        decoder: Decoder,
        plan: MemoryPlan,
        settings: EngineSettings,
        eos_ids: frozenset[int],
        load: Callable[[Progress], Decoder] | None,
    ) -> None:
        """Make all of it; `start` starts the thread.

        Args:
            decoder: the model.
            plan: the memory it takes.
            settings: the rest.
            eos_ids: tokens that end a reply.
            load: loads the decoder again once it was released; without it, it stays.
        """
        make = partial(Resident.make, plan=plan, eos_ids=eos_ids, max_batch=settings.max_batch)
        resident = make(decoder)
        self.plan, self._device = plan, decoder.device
        self.pool = BlockPool(plan.num_blocks, plan.block_size, resident.kv.copy_block)
        self._residency = Residency(
            resident, self.pool, None if load is None else lambda report: make(load(report))
        )
        pace = resident.runner.pace()
        self.scheduler = Scheduler(self.pool, settings.max_batch, plan.step_tokens, pace)
        self._meter = Meter()
        self.open_requests = OpenRequests(settings.max_batch + settings.max_waiting)
        mask_rows = MaskRows(decoder.spec.vocab_size)
        responder = Responder(self.scheduler, self._meter, self.open_requests, eos_ids, mask_rows)
        self._pacer = FramePacer(pace.padded)
        self.loop = EngineLoop(
            self.scheduler,
            self._residency,
            responder,
            self._pacer,
            BranchScorer(self.pool, plan.step_tokens),
            settings.idle_release_s,
        )
        self._thread = EngineThread(
            self.loop, settings.threads or max(torch.get_num_threads() - 1, 1)
        )
        self.loop.post = self._thread.post
        self.failed.add_done_callback(lambda failed: self.open_requests.fail(failed.result()))

    @property
    def failed(self) -> Future[EngineFailedError]:
        """See `Engine.failed`."""
        return self._thread.failed

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, response: Response) -> None:
        """Hand a request to the thread.

        Raises:
            EngineOverloadedError: as many are open as may be.
            EngineClosedError: the engine was closed.
            EngineFailedError: the engine has failed.
        """
        request = response.sequence.request
        post = partial(self._thread.post, partial(self.loop.submit, response))
        self.open_requests.add(request.number, response.queue, post, request.namespace)

    def cancel(self, response: Response) -> None:
        """End a reply where it is."""
        self._thread.post(partial(self.loop.cancel, response))

    def set_priority(self, response: Response, priority: int) -> None:
        """Change what goes first."""
        self._thread.post(partial(self.loop.set_priority, response, priority))

    def report_frames(self, report: FrameReport) -> None:
        """See `Engine.report_frames`."""
        if not self._pacer.has_room_for(report.reporter, report.arrived):
            raise TooManyReportersError(MOST_REPORTERS)
        self._thread.post(partial(self._pacer.report, report))

    def observe_steps(self, observer: StepObserver | None) -> None:
        """See `Engine.observe_steps`."""
        self._meter.step_observer = observer

    async def done(self, command: Callable[[Future[Result]], None]) -> Result:
        """Have the thread run a command, and wait for what it sets, which is returned."""
        self.open_requests.check()
        done: Future[Result] = Future()
        done.set_running_or_notify_cancel()  # whoever waits may leave
        self._thread.post(partial(command, done))
        ends: list[asyncio.Future[Any]] = [
            asyncio.wrap_future(done),
            asyncio.wrap_future(self.failed),
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            self.open_requests.check()
        return done.result()

    def stats(self) -> EngineStats:
        """Return the counters as they are now; may be called from any thread."""
        p50, p99 = self._meter.first_token_percentiles((0.5, 0.99))
        running = len(self.scheduler.running)
        decode_steps, prompt_steps = self._meter.step_times()
        return EngineStats(
            running=running,
            waiting=max(len(self.open_requests) - running, 0),
            tokens_per_second=self._meter.tokens_per_second(),
            kv_blocks_used=self.pool.num_used,
            kv_blocks_cached=self.pool.num_cached,
            kv_blocks_free=self.pool.num_free,
            ttft_p50_ms=p50,
            ttft_p99_ms=p99,
            generated_tokens_total=self._meter.generated_tokens,
            prompt_tokens_total=self._meter.prompt_tokens,
            cached_tokens_total=self._meter.cached_tokens,
            requests_total=self.open_requests.total,
            preemptions_total=self.scheduler.num_preemptions,
            model_state=self._residency.state,
            memory_used_mib=-(-self._memory_used() // MIB),
            decode_steps=decode_steps,
            prompt_steps=prompt_steps,
            steps_total=self._meter.steps,
            pace=self._pacer.stats(time.monotonic()),
        )

    def stop(self) -> None:
        """End all requests with EngineClosedError, then the thread, and give back the memory."""
        self._thread.stop()
        if not self.failed.done():  # else it may use what it has, or the device may be dead
            self._residency.stop()
            self.plan.let_go(self._device)

    def _memory_used(self) -> int:
        if self._device.type == "cuda":
            return self.plan.cuda + torch.cuda.memory_reserved(self._device)
        rss: int = psutil.Process().memory_info().rss
        return rss
