"""What the engine's thread does: plan steps, run them, and send what they give."""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Any

from townsfolk.engine.errors import (
    DeadlineExceededError,
    DeviceFailedError,
    EngineClosedError,
    EngineError,
    GenerationFailedError,
    ModelReloadError,
)
from townsfolk.engine.open_requests import OpenRequests
from townsfolk.engine.outbox import Outbox
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo, Usage
from townsfolk.engine.request import Request
from townsfolk.engine.residency import Loaded, Residency
from townsfolk.engine.runner import ItemOutput, Runner
from townsfolk.engine.scheduler import Scheduler, StepItem
from townsfolk.engine.stats import Meter

logger = logging.getLogger(__name__)


class EngineLoop:
    """Owns the scheduler and the model. For the engine's thread only.

    Whatever goes wrong with a request ends that request with a typed error, and the loop goes on.
    What goes wrong beside that is raised: it is a failure of the engine.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        residency: Residency,
        meter: Meter,
        open_requests: OpenRequests,
        eos_ids: Collection[int],
        idle_release_s: float = 0.0,
    ) -> None:
        """Make a loop without requests.

        Args:
            scheduler: decides the steps.
            residency: has the runner that runs them.
            meter: counts.
            open_requests: requests that have not ended; the loop takes out those that do.
            eos_ids: tokens that end a reply.
            idle_release_s: seconds without a request after which the model is released; 0 never.
        """
        self.post: Callable[[Callable[[], None]], None]
        """Has this thread run something between two turns; set before the first."""
        self._scheduler = scheduler
        self._residency = residency
        self._meter = meter
        self._open = open_requests
        self._eos_ids = eos_ids
        self._outbox = Outbox()
        self._live: set[Request] = set()
        self._deadlines: list[tuple[float, int, Request]] = []  # heap
        self._in_flight: deque[tuple[list[StepItem], Any]] = deque()
        self._idle_release_s = idle_release_s if residency.can_release else 0.0
        self._idle_since = time.monotonic()

    def submit(self, request: Request) -> None:
        """Take a request."""
        self._live.add(request)
        self._scheduler.add(request)
        if request.deadline is not None:
            if len(self._deadlines) > 2 * len(self._live):  # most of them have ended
                self._deadlines = [entry for entry in self._deadlines if entry[2] in self._live]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (request.deadline, request.number, request))

    def cancel(self, request: Request) -> None:
        """Ends a request where it is."""
        if request in self._live:
            self._finish(request, FinishReason.INTERRUPTED)

    def set_priority(self, request: Request, priority: int) -> None:
        """Changes a request's rank from the next step on."""
        self._scheduler.set_priority(request, priority)

    def check(self, done: Future[None]) -> None:
        """Checks that blocks and rows are where they should be.

        Sets `done`, with RuntimeError as its exception when they are not.
        """
        try:
            self._scheduler.check()
            if self._live != {*self._scheduler.running, *self._scheduler.waiting}:
                raise RuntimeError("the loop and the scheduler know different requests")
        except RuntimeError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def turn(self) -> float | None:
        """Run one step, as far as there is something to do; see `Work.turn`."""
        self._expire()
        if (idle_until := self._idle_until()) is not None and idle_until <= time.monotonic():
            self._residency.release()
        resident = self._residency.resident
        if resident is None:
            if self._live:
                self._residency.load(lambda loaded: self.post(partial(self._settle_model, loaded)))
            self._send()
            return self._pause()
        runner = resident.runner
        plan = self._scheduler.plan()
        if any(item.count > 1 for item in plan.items):
            self._send()  # to launch prompts can take a while
        if plan.items:
            try:
                self._in_flight.append((plan.items, runner.launch(plan)))
            except DeviceFailedError:
                raise
            except Exception as error:
                self._fail_step(plan.items, error)
        if self._in_flight and (len(self._in_flight) >= runner.depth or not plan.items):
            # Readers wake up while this thread waits for the device. Before the launch, they would
            # take the interpreter's lock from it and the next step would come late.
            self._send()
            self._settle(runner, *self._in_flight.popleft())
        elif not plan.items:
            self._send()
            return self._pause(runner.prepare())
        if not self._in_flight:
            self._send()
        return 0.0

    def end(self) -> None:
        """End every request with EngineClosedError."""
        self._in_flight.clear()
        for request in list(self._live):
            self._leave(request)
            self._end(request, EngineClosedError())
        self._send()

    def note_wait(self, seconds: float) -> None:
        """Note that the thread has waited for a command, not worked."""
        self._outbox.note_wait(seconds)

    def _send(self) -> None:
        for request in self._outbox.flush():
            self.cancel(request)  # nobody can read it any more

    def _pause(self, seconds: float | None = None) -> float | None:
        """Return how long there is nothing to do: not beyond `seconds`, a deadline, idle time."""
        times = [self._deadlines[0][0]] if self._deadlines else []
        if seconds is not None:
            times.append(time.monotonic() + seconds)
        if (idle_until := self._idle_until()) is not None:
            times.append(idle_until)
        return max(min(times) - time.monotonic(), 0.0) if times else None

    def _idle_until(self) -> float | None:
        """When the model is to be released if no request comes; None where it is not."""
        busy = self._live or self._in_flight
        if not self._idle_release_s or busy or self._residency.resident is None:
            return None
        return self._idle_since + self._idle_release_s

    def _settle_model(self, loaded: Loaded) -> None:
        """Takes the model, which was loaded; when it could not be, those who wait are told why."""
        self._residency.settle(loaded)
        self._idle_since = time.monotonic()
        if isinstance(loaded, ModelReloadError):
            for request in list(self._live):
                self._fail(request, ModelReloadError(loaded.reason))

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            request = heapq.heappop(self._deadlines)[2]
            if request not in self._live:
                continue
            if request.num_generated:
                self._finish(request, FinishReason.DEADLINE)
            else:
                self._leave(request)
                self._end(request, DeadlineExceededError())

    def _settle(self, runner: Runner, items: list[StepItem], step: Any) -> None:
        """Waits for a step and gives each request what it has got."""
        begin = time.monotonic()
        try:
            outputs = runner.collect(step)
        except DeviceFailedError:
            raise
        except Exception as error:
            self._fail_step(items, error)
            return
        now = time.monotonic()
        self._outbox.note_wait(now - begin)
        self._note_pace(items, runner.seconds(step))
        tokens = 0
        for item, output in zip(items, outputs, strict=True):
            if item.is_void:
                continue
            try:
                self._take(item, output, now)
                tokens += output.token is not None
            except Exception as error:
                self._fail(item.request, error)
        self._meter.note_step(tokens)

    def _note_pace(self, items: list[StepItem], seconds: float | None) -> None:
        if seconds is not None:
            speakers = sum(item.count == 1 and item.samples for item in items)
            prompt_tokens = sum(item.count for item in items) - speakers
            self._scheduler.pace.note(speakers, prompt_tokens, seconds)

    def _take(self, item: StepItem, output: ItemOutput, now: float) -> None:
        if output.error is not None:
            raise output.error
        request = item.request
        token = output.token
        self._scheduler.advance(item, token.token_id if token else None)
        if request.echo:
            self._echo(item, output)
        if token is None:
            return
        if request.first_token_at is None:
            request.first_token_at = now
            waited = (now - request.arrived) * 1000
            self._meter.note_first_token(waited, request.prompt_length, request.cached_tokens)
        request.last_token_at = now
        if token.token_id in self._eos_ids or token.token_id in request.rules.end_ids:
            self._finish(request, FinishReason.END, token)
            return
        if token.token_id in request.params.stop_token_ids:
            self._finish(request, FinishReason.STOP, token)
            return
        delta = request.reply.push(token, request.max_tokens - len(request.token_ids))
        if delta is not None:
            self._outbox.put(request, delta)
        if (reason := request.reply.ended) is not None:
            self._finish(request, reason)
        elif len(request.token_ids) >= request.max_tokens:
            self._finish(request, FinishReason.LENGTH)

    def _echo(self, item: StepItem, output: ItemOutput) -> None:
        """Notes what is known of the prompt's tokens, and sends them when all are known."""
        request = item.request
        known, length = len(request.prompt_infos), request.prompt_length
        if known == length:
            return
        if request.scores_prompt:
            if not known:
                request.prompt_infos.append(TokenInfo(request.token_ids[0], 0.0))
            request.prompt_infos += output.prompt_infos
        else:
            request.prompt_infos = [TokenInfo(token_id) for token_id in request.token_ids[:length]]
        if len(request.prompt_infos) == length:
            self._outbox.put(request, tuple(request.prompt_infos))

    def _finish(
        self, request: Request, reason: FinishReason, last: TokenInfo | None = None
    ) -> None:
        """Ends a request with the reply that it has got."""
        self._leave(request)
        try:
            delta = request.reply.finish(reason, last)
        except Exception as error:
            self._end(request, _failure(error))
            return
        if delta is not None:
            self._outbox.put(request, delta)
        completion = Completion(
            text=request.reply.text,
            token_ids=tuple(request.token_ids[request.prompt_length :]),
            finish_reason=reason,
            usage=_usage(request),
            stop_text=request.reply.stop_text,
            prompt_tokens=tuple(request.prompt_infos),
        )
        self._end(request, completion)

    def _fail_step(self, items: list[StepItem], error: Exception) -> None:
        logger.error("a model step failed; its requests are given up", exc_info=error)
        for item in items:
            if not item.is_void:
                self._fail(item.request, error)

    def _fail(self, request: Request, error: Exception) -> None:
        if request in self._live:
            self._leave(request)
            self._end(request, _failure(error))

    def _leave(self, request: Request) -> None:
        """Takes a request out; its blocks are free at once."""
        self._live.discard(request)
        self._scheduler.remove(request)

    def _end(self, request: Request, event: Completion | EngineError) -> None:
        self._outbox.put(request, event)
        self._open.remove(request)
        self._idle_since = time.monotonic()


def _failure(error: Exception) -> EngineError:
    if isinstance(error, EngineError):
        return error
    failure = GenerationFailedError(f"the request failed: {error}")
    failure.__cause__ = error
    return failure


def _usage(request: Request) -> Usage:
    first, generated = request.first_token_at, request.num_generated
    speaking = request.last_token_at - first if first is not None else 0.0
    return Usage(
        prompt_tokens=request.prompt_length,
        cached_tokens=request.cached_tokens,
        generated_tokens=generated,
        time_to_first_token_ms=(first - request.arrived) * 1000 if first is not None else 0.0,
        tokens_per_second=(generated - 1) / speaking if speaking > 0 else 0.0,
        seed=request.seed,
    )
