"""From the engine's thread to the event loops of the callers."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from townsfolk.engine.generation import Event
from townsfolk.engine.request import Request

# How often the readers of one event loop, all together, are handed something. What follows from
# it costs the service 0.1 ms of Python, which the engine's thread has to wait for, and a client in
# Python as much again. A lone speaker gets each token by itself; 32 who speak at once get
# every 13 ms what has come, which is less than a frame of a game.
DELIVERY_S = 1 / 2500
# What a quiet event loop saves up for when several have something at the same time.
SAVED_S = 8 * DELIVERY_S


class Outbox:
    """Hands what the engine's thread says to the readers, no more often than is of use.

    A request's events wait in `Request.letters`; its event loop is told once that there are some,
    and takes all that have come by the time it looks. The first are handed over at once. Later ones
    take turns with those of other requests: many who speak get longer pieces, not more of them.
    """

    def __init__(self) -> None:
        self._announced: dict[AbstractEventLoop, list[Request]] = {}  # since the last flush
        self._couriers: WeakKeyDictionary[AbstractEventLoop, _Courier] = WeakKeyDictionary()

    def put(self, request: Request, event: Event) -> None:
        """Sends an event, with the next flush at the earliest."""
        request.letters.append(event)
        if not request.announced:
            request.announced = True
            self._announced.setdefault(request.event_loop, []).append(request)

    def flush(self) -> list[Request]:
        """Tells the event loops of what is new; gives requests whose event loop was closed."""
        announced, self._announced = self._announced, {}
        for event_loop, requests in announced.items():
            courier = self._couriers.get(event_loop)
            if courier is None:
                courier = self._couriers[event_loop] = _Courier()
            courier.take(event_loop, requests)
        lost: list[Request] = []
        for event_loop in [loop for loop in self._couriers if loop.is_closed()]:
            lost += self._couriers.pop(event_loop).waiting
        return lost


class _Courier:
    """Brings letters to the readers of one event loop."""

    def __init__(self) -> None:
        self.waiting: deque[Request] = deque()
        self._lock = threading.Lock()  # of `waiting` and `_walks`
        self._walks = False  # whether the event loop will look at `waiting` by itself
        self._free_at = 0.0  # when the next delivery is due, on the event loop's clock

    def take(self, event_loop: AbstractEventLoop, requests: Sequence[Request]) -> None:
        """Takes requests that have letters, in the engine's thread."""
        newcomers = [request for request in requests if not request.greeted]
        with self._lock:
            self.waiting += requests if not newcomers else [r for r in requests if r.greeted]
            starts = bool(self.waiting) and not self._walks
            self._walks = self._walks or starts
        try:
            if newcomers:
                event_loop.call_soon_threadsafe(self._greet, newcomers)
            if starts:
                event_loop.call_soon_threadsafe(self._walk)
        except RuntimeError:  # the event loop is closed; see `Outbox.flush`
            self.waiting += newcomers

    def _greet(self, newcomers: Sequence[Request]) -> None:
        """Hands over the first letters."""
        for request in newcomers:
            request.greeted = True
            _hand_over(request)
            self._free_at += DELIVERY_S

    def _walk(self) -> None:
        """Hands over what is due, and comes again for what is not."""
        event_loop = asyncio.get_running_loop()
        now = event_loop.time()
        self._free_at = max(self._free_at, now - SAVED_S)
        while self._free_at <= now:
            with self._lock:
                if not self.waiting:
                    self._walks = False
                    return
                request = self.waiting.popleft()
            _hand_over(request)
            self._free_at += DELIVERY_S
        event_loop.call_at(self._free_at, self._walk)


def _hand_over(request: Request) -> None:
    request.announced = False  # first, so that what comes from now on is announced again
    generation = request.handle()
    if generation is not None:
        generation.receive(request.letters)
