"""What the engine's thread does: plan steps, run them, and send what they give."""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import torch

from townsfolk.engine.branches import Branches, BranchScorer
from townsfolk.engine.errors import (
    DeadlineExceededError,
    DeviceFailedError,
    EngineClosedError,
    GenerationFailedError,
    ModelReloadError,
    ModelStaysError,
)
from townsfolk.engine.late_changes import LateChanges
from townsfolk.engine.memory import out_of_memory
from townsfolk.engine.outputs import FinishReason
from townsfolk.engine.paced_step import PacedStep
from townsfolk.engine.pacing import FramePacer
from townsfolk.engine.residency import Loaded, Residency
from townsfolk.engine.responder import Responder
from townsfolk.engine.response import Response
from townsfolk.engine.runner import Runner
from townsfolk.engine.scheduled_step import ScheduledStep
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.stats import ModelState
from townsfolk.models.adapters import BoundAdapter

logger = logging.getLogger(__name__)

# Where so many draw under grammars, this thread hardly ever waits, and to hand the interpreter's
# lock to readers and back costs as much as they take: so they are told less often.
_MANY = 8
_TELL_EVERY_S = 0.008


class EngineLoop:
    """Runs what the scheduler decides. For the engine's thread only.

    Whatever goes wrong with a request ends that request with a typed error, and the loop goes on.
    What goes wrong beside that is raised: it is a failure of the engine.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        residency: Residency,
        responder: Responder,
        pacer: FramePacer,
        branches: BranchScorer,
        idle_release_s: float = 0.0,
    ) -> None:
        """Make a loop without requests.

        Args:
            scheduler: decides the steps.
            residency: has the runner that runs them.
            responder: tells the callers.
            pacer: keeps steps out of the way of games' frames.
            branches: scores texts behind a prompt.
            idle_release_s: seconds without a request after which the model is released; 0 never.
        """
        self.post: Callable[[Callable[[], None]], None]
        """Has this thread run something between two turns; set before the first."""
        self._scheduler = scheduler
        self._residency = residency
        self._responder = responder
        self._pacer = pacer
        self._branches = branches
        self._paced: PacedStep | None = None  # in flight
        self._releasing: list[Future[None]] = []  # those who wait for the memory to be given back
        self._warming: list[Future[None]] = []  # those who wait for the model
        self._waits_for_warm = False
        self._adapters: dict[int, BoundAdapter] = {}  # by number; they outlast the resident model
        self._leaving: dict[int, Callable[[], None]] = {}  # once no request has them
        self._deadlines: list[tuple[float, int, Response]] = []  # heap
        self._in_flight: deque[tuple[ScheduledStep, Any]] = deque()
        self._unmasked: ScheduledStep | None = None  # the latest, while draws of it wait
        self._told_at = 0.0  # when readers were, on the monotonic clock
        self._idle_release_s = idle_release_s if residency.can_release else 0.0

    def submit(self, response: Response) -> None:
        """Take a request."""
        responder, request = self._responder, response.sequence.request
        responder.add(response)
        self._scheduler.add(response.sequence)
        self._residency.stays_away = self._waits_for_warm
        if request.deadline is not None:
            if len(self._deadlines) > 2 * len(responder):  # most of them have ended
                self._deadlines = [each for each in self._deadlines if responder.has(each[2])]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (request.deadline, request.number, response))

    def cancel(self, response: Response) -> None:
        """End a request where it is."""
        if self._responder.has(response):
            self._responder.finish(response, FinishReason.INTERRUPTED)

    def set_priority(self, response: Response, priority: int) -> None:
        """Change a request's rank from the next step on."""
        self._scheduler.set_priority(response.sequence, priority)

    def load_adapter(self, number: int, adapter: BoundAdapter, done: Future[None]) -> None:
        """Have an adapter ready for steps. Sets `done` then, or why it could not be."""
        resident = self._residency.resident
        if resident is not None:
            try:
                resident.runner.adapters.add(number, adapter)
            except torch.OutOfMemoryError as error:
                done.set_exception(out_of_memory(error))
                return
        self._adapters[number] = adapter
        done.set_result(None)

    def unload_adapter(self, number: int, gone: Callable[[], None], done: Future[None]) -> None:
        """Unload an adapter once no request has it, and then call `gone`; sets `done`."""
        self._leaving[number] = gone
        self._let_adapters_go()
        done.set_result(None)

    def check(self, done: Future[None]) -> None:
        """Check that blocks and slots are where they should be.

        Sets `done`, with RuntimeError as its exception when they are not.
        """
        try:
            self._scheduler.check()
            known = {each.leader for each in (*self._scheduler.running, *self._scheduler.waiting)}
            if self._responder.sequences() != known:
                raise RuntimeError("the loop and the scheduler know different requests")
        except RuntimeError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def turn(self) -> float | None:
        """Run one step, as far as there is something to do; see `Work.turn`."""
        if self._deadlines:
            self._expire()
        if self._leaving:
            self._let_adapters_go()
        if (idle_until := self._idle_until()) is not None and idle_until <= time.monotonic():
            self._residency.release()
        if self._releasing and self._residency.state is not ModelState.LOADING:
            self._give_back()
        resident = self._residency.resident
        if resident is None:
            if self._warming or (len(self._responder) and not self._residency.stays_away):
                self._residency.load(lambda loaded: self.post(partial(self._settle_model, loaded)))
            self._responder.send()
            return self._pause()
        runner = resident.runner
        limit, now = None, time.monotonic()
        if self._pacer.is_paced(now):
            self._settle_all(runner)
            decided = self._pacer.decide(now, self._scheduler.demand())
            if isinstance(decided, float):
                self._responder.send()
                return self._pause(decided)
            limit = decided
        if runner.least_forced is not None:
            self._mask(runner)  # it may give replies tokens, of which the plan must know
        step = self._scheduler.plan(limit)
        self._mask(runner)  # with a plan at hand, the device goes on right behind these draws
        if step.sequences:
            self._launch(runner, step)
            self._mask(runner)
            self._paced = PacedStep.of(limit, now)
        depth = runner.depth if limit is None else 1
        if self._in_flight and (len(self._in_flight) >= depth or not step.sequences):
            # Readers wake up while this thread waits for the device. Before the launch, they would
            # take the interpreter's lock from it and the next step would come late.
            if self._has_time_for_readers():
                self._responder.send()
            self._settle(runner, *self._in_flight.popleft())
        elif not step.sequences:
            self._responder.send()
            return self._pause(runner.prepare())
        if not self._in_flight:
            self._responder.send()
        return 0.0

    def release(self, done: Future[None], until_warm: bool) -> None:
        """Give the model's memory back; see `Engine.release`. Sets `done` then, or why it can't."""
        if not self._residency.can_release:
            done.set_exception(ModelStaysError())
            return
        self._waits_for_warm = until_warm
        self._releasing.append(done)

    def warm(self, done: Future[None]) -> None:
        """Have the model loaded; see `Engine.warm`. Sets `done` then, or why it could not be."""
        self._residency.stays_away = self._waits_for_warm = False
        if self._residency.resident is not None and not self._releasing:
            done.set_result(None)
        else:
            self._warming.append(done)

    def score(self, branches: Branches, done: Future[list[list[float]]]) -> None:
        """Score texts behind a prompt, if that can be done at once; see `BranchScorer`.

        Sets `done`, also with what went wrong.
        """
        resident = self._residency.resident
        if resident is None or self._pacer.is_paced(time.monotonic()):
            done.set_result([])
            return
        try:
            self._settle_all(resident.runner)
            done.set_result(self._branches.score(resident.runner, branches))
        except DeviceFailedError as error:
            done.set_exception(error)
            raise
        except Exception as error:
            logger.error("texts could not be scored", exc_info=error)
            done.set_exception(GenerationFailedError(f"the request failed: {error}"))

    def end(self) -> None:
        """End every request with EngineClosedError."""
        self._in_flight.clear()
        self._unmasked = None
        for done in (*self._releasing, *self._warming):
            done.set_exception(EngineClosedError())
        for response in self._responder.open():
            self._responder.fail(response, EngineClosedError())
        self._responder.send()

    def note_wait(self, seconds: float) -> None:
        """Note that the thread has waited for a command, not worked."""
        self._responder.outbox.note_wait(seconds)

    def _let_adapters_go(self) -> None:
        """Unload adapters that are leaving and that no request has."""
        spoken = {each.request.adapter for each in self._responder.sequences()}
        for number in self._leaving.keys() - spoken:
            del self._adapters[number]
            if (resident := self._residency.resident) is not None:
                resident.runner.adapters.remove(number)
            self._leaving.pop(number)()

    def _has_time_for_readers(self) -> bool:
        """Return whether they are told now, or a step later: masks of many leave them little."""
        now = time.monotonic()
        is_busy = self._unmasked is not None and len(self._unmasked.sequences) >= _MANY
        if is_busy and now < self._told_at + _TELL_EVERY_S:
            return False
        self._told_at = now
        return True

    def _launch(self, runner: Runner, step: ScheduledStep) -> None:
        if step.has_prompts:
            self._responder.send()  # to launch prompts can take a while
        try:
            self._in_flight.append((step, runner.launch(step.plan)))
            self._unmasked = step if step.is_masked else None
        except DeviceFailedError:
            raise
        except Exception as error:
            self._fail_step(step, error)

    def _next_unmasked(self) -> ScheduledStep | None:
        """Return the step whose draws wait for masks, once all before it have been settled."""
        step = self._unmasked
        return None if step is None or self._in_flight[0][0] is not step else step

    def _mask(self, runner: Runner) -> None:
        """Have sequences under a grammar draw, once the tokens before are known.

        The device computes their step meanwhile; all others have drawn already.
        """
        if (step := self._next_unmasked()) is None:
            return
        self._unmasked = None
        handle = self._in_flight[0][1]
        self._responder.fast_forward(step, runner.least_forced)
        places, masks = self._responder.masks(step)
        biases = self._responder.biases(step, places)
        contrasts = self._responder.contrasts(step, places)
        if not places:
            return
        try:
            runner.mask(handle, places, masks, LateChanges(biases, contrasts))
        except DeviceFailedError:
            raise
        except Exception as error:
            logger.error("draws under grammars failed; they are given up", exc_info=error)
            for place in places:
                self._responder.fail(self._responder.of(step.sequences[place]), error)

    def _settle_all(self, runner: Runner) -> None:
        """Have no step in flight."""
        while self._in_flight:
            self._mask(runner)
            self._settle(runner, *self._in_flight.popleft())

    def _give_back(self) -> None:
        """Give the model's memory back; replies pause, and are computed again later."""
        releasing, self._releasing = self._releasing, []
        if (resident := self._residency.resident) is not None:
            self._settle_all(resident.runner)
            self._scheduler.suspend()
            del resident
            self._residency.release()
        self._residency.stays_away = not self._warming
        for done in releasing:
            done.set_result(None)

    def _settle(self, runner: Runner, step: ScheduledStep, handle: Any) -> None:
        """Wait for a step and give each request what it has got."""
        begin = time.monotonic()
        try:
            outputs = runner.collect(handle)
        except DeviceFailedError:
            raise
        except Exception as error:
            self._fail_step(step, error)
            return
        now = time.monotonic()
        self._responder.outbox.note_wait(now - begin)
        if (seconds := runner.seconds(handle)) is not None:
            self._note_pace(step, seconds, now)
            self._responder.note_step_time(seconds, has_prompts=step.has_prompts)
        self._paced = None
        if (following := self._next_unmasked()) is not None:
            # The device may wait for it.
            self._responder.go_on(step, outputs, following, runner.mask_memory)
        self._responder.take(step, outputs, now)

    def _note_pace(self, step: ScheduledStep, seconds: float, now: float) -> None:
        """Have the pace learn what a step took, unless it did what others don't."""
        if (work := step.plan.work()) is None:
            return
        decodes, prompt_tokens, pairs = work
        self._scheduler.pace.note(decodes, prompt_tokens, seconds, pairs)
        if self._paced is None:
            self._pacer.note(decodes, prompt_tokens, seconds)
        else:
            span = self._paced.span(seconds, now)
            self._pacer.note_limited(decodes, prompt_tokens, span, self._paced.limit)

    def _fail_step(self, step: ScheduledStep, error: Exception) -> None:
        logger.error("a model step failed; its requests are given up", exc_info=error)
        for sequence, _ in step.live():
            self._responder.fail(self._responder.of(sequence), error)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            response = heapq.heappop(self._deadlines)[2]
            if not self._responder.has(response):
                continue
            if response.num_tokens:
                self._responder.finish(response, FinishReason.DEADLINE)
            else:
                self._responder.fail(response, DeadlineExceededError())

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
        if not self._idle_release_s:
            return None
        if len(self._responder) or self._in_flight or self._residency.resident is None:
            return None
        return max(self._responder.idle_since, self._residency.since) + self._idle_release_s

    def _settle_model(self, loaded: Loaded) -> None:
        """Take the model, which was loaded; when it could not be, tell those who wait why."""
        if not isinstance(loaded, ModelReloadError):
            for number, adapter in self._adapters.items():
                loaded.runner.adapters.add(number, adapter)
        self._residency.settle(loaded)
        warming, self._warming = self._warming, []
        for done in warming:
            if isinstance(loaded, ModelReloadError):
                done.set_exception(ModelReloadError(loaded.reason))
            else:
                done.set_result(None)
        if isinstance(loaded, ModelReloadError):
            for response in self._responder.open():
                self._responder.fail(response, ModelReloadError(loaded.reason))
