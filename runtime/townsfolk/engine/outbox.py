"""From the engine's thread to the event loops of the callers."""

from __future__ import annotations

import asyncio
import threading
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from weakref import WeakKeyDictionary

from townsfolk.engine.generation import Event
from townsfolk.engine.output_queue import OutputQueue
from townsfolk.engine.outputs import TextDelta

# Engine and event loop share the interpreter's lock. When both together are at work for a larger
# share of the time than this, they wait for each other so often that steps come late.
LOCK_SHARE = 0.6
# What an event loop gets in any case: a model on the CPU keeps its thread busy, mostly without the
# lock.
LOOP_SHARE = 0.25
# Between deliveries to all the readers of an event loop, in seconds: at first, and at most, so that
# each of 32 replies arrives in every frame of a game.
FIRST_S, MOST_S = 0.0002, 0.0005
# What an event loop saves up of the time between deliveries, to serve several readers at once.
SAVED_S = 0.002
# Deliveries over which their cost is taken: the clock of a thread ticks in 16 ms on some systems.
MEASURED = 64
# Over how long the engine's share is taken, in seconds.
MEASURED_S = 0.1


class Outbox:
    """Hands what the engine's thread has for readers, no more often than is of use.

    A request's events wait in its `OutputQueue`; its event loop is told once that there are some,
    and takes all that have come by the time it looks. A reply's first and last events are handed
    over at once. Others take turns with those of other requests, and while that takes too much of
    the interpreter's time, readers get longer pieces, not more of them.
    """

    def __init__(self) -> None:
        # Queues with something new since the last flush; dictionaries, to have each once.
        self._announced: dict[AbstractEventLoop, dict[OutputQueue, None]] = {}
        self._deliveries: WeakKeyDictionary[AbstractEventLoop, _Delivery] = WeakKeyDictionary()
        self._load = _Load()

    def put(self, queue: OutputQueue, event: Event) -> None:
        """Send an event, with the next flush at the earliest."""
        queue.events.append(event)
        if type(event) is not TextDelta:
            queue.urgent = True
        elif queue.announced:
            return
        queue.announced = True
        self._announced.setdefault(queue.event_loop, {})[queue] = None

    def note_wait(self, seconds: float) -> None:
        """Note that the engine's thread has waited for the device, or for something to do."""
        self._load.note_wait(seconds)

    def flush(self) -> list[OutputQueue]:
        """Tell the event loops of what is new; return queues whose event loop was closed."""
        announced, self._announced = self._announced, {}
        for event_loop, queues in announced.items():
            delivery = self._deliveries.get(event_loop)
            if delivery is None:
                delivery = self._deliveries[event_loop] = _Delivery(self._load)
            delivery.take(event_loop, queues)
        lost: list[OutputQueue] = []
        for event_loop in [loop for loop in self._deliveries if loop.is_closed()]:
            delivery = self._deliveries.pop(event_loop)
            lost += (*delivery.urgent, *delivery.waiting)
        return lost


class _Delivery:
    """Hands events to the readers of one event loop."""

    def __init__(self, engine: _Load) -> None:
        self.urgent: deque[OutputQueue] = deque()
        self.waiting: deque[OutputQueue] = deque()
        self._lock = threading.Lock()  # of `waiting` and `_is_due`, which both threads change
        self._is_due = False  # whether the event loop will look at `waiting` by itself
        self._free_at = 0.0  # when the next delivery is due, on the event loop's clock
        self._interval = _Interval(engine)

    def take(self, event_loop: AbstractEventLoop, queues: Iterable[OutputQueue]) -> None:
        """Take queues that have events, in the engine's thread."""
        hurries = False
        with self._lock:
            for queue in queues:
                urgent = queue.urgent  # read once: the event loop may have it changed
                (self.urgent if urgent else self.waiting).append(queue)
                hurries = hurries or urgent
            starts = bool(self.waiting) and not self._is_due
            self._is_due = self._is_due or starts
        with suppress(RuntimeError):  # the event loop is closed; see `Outbox.flush`
            if hurries:
                event_loop.call_soon_threadsafe(self._hand_over_urgent)
            if starts:
                event_loop.call_soon_threadsafe(self._hand_over_due)

    def _hand_over_urgent(self) -> None:
        """Hand over what must not wait."""
        while self.urgent:
            queue = self.urgent.popleft()
            queue.urgent = False
            self._hand_over(queue)

    def _hand_over_due(self) -> None:
        """Hand over what is due, and come again for what is not."""
        event_loop = asyncio.get_running_loop()
        now = event_loop.time()
        self._free_at = max(self._free_at, now - SAVED_S)
        while self._free_at <= now:
            with self._lock:
                if not self.waiting:
                    self._is_due = False
                    return
                queue = self.waiting.popleft()
            if queue.events:  # else they were urgent
                self._hand_over(queue)
        event_loop.call_at(self._free_at, self._hand_over_due)

    def _hand_over(self, queue: OutputQueue) -> None:
        queue.hand_over()
        self._free_at += self._interval.seconds
        self._interval.note_delivery()


class _Load:
    """What share of the time the engine's thread has been at work of late, and not waiting.

    By the time that passes, not by the thread's own: to wait for a GPU can keep a processor busy.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._began = time.monotonic()
        self._waited = 0.0

    def note_wait(self, seconds: float) -> None:
        """Note that it has waited; in the engine's thread."""
        self._waited += seconds
        elapsed = time.monotonic() - self._began
        if elapsed >= MEASURED_S:
            self.share = 1 - self._waited / elapsed
            self._began += elapsed
            self._waited = 0.0


class _Interval:
    """How far deliveries are apart, by what they turn out to cost. For one event loop's thread."""

    def __init__(self, engine: _Load) -> None:
        self.seconds = FIRST_S
        self._engine = engine
        self._count = 0
        self._began = 0.0  # on the clock of the thread's own time

    def note_delivery(self) -> None:
        """Note that one more was made."""
        if self._count == 0:
            self._began = time.thread_time()
        self._count += 1
        if self._count > MEASURED:
            cost = (time.thread_time() - self._began) / MEASURED
            share = max(LOCK_SHARE - self._engine.share, LOOP_SHARE)
            self.seconds = min((self.seconds + cost / share) / 2, MOST_S)
            self._count = 0
