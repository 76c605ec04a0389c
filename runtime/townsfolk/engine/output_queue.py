"""What the caller of one request is to be told."""

from __future__ import annotations

import weakref
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from townsfolk.engine.generation import Event, Generation
from townsfolk.engine.outputs import Completion


class OutputQueue:
    """The events of a request that its caller has not got yet.

    The engine's thread adds them, and the caller's event loop takes them; see `Outbox`.

    Attributes:
        event_loop: where the caller reads.
        events: what was not taken yet, oldest first.
        announced: whether the event loop knows that there is something.
        urgent: whether its first or last event is among them, which does not wait for its turn.
        cancel: ends the request, from any thread; nothing happens once it has ended.
    """

    __slots__ = ("_handle", "announced", "cancel", "event_loop", "events", "urgent")

    def __init__(
        self, event_loop: AbstractEventLoop, generation: Generation, cancel: Callable[[], None]
    ) -> None:
        """Make an empty queue; the request is cancelled when nobody holds the handle any more."""
        self.event_loop = event_loop
        self.events: deque[Event] = deque()
        self.announced = False
        self.urgent = True
        self.cancel = cancel
        self._handle = weakref.ref(generation, lambda _: cancel())

    def hand_over(self) -> None:
        """Give all that is there to the caller's handle. In its event loop."""
        self.announced = False  # first, so that what comes from now on is announced again
        generation = self._handle()
        if generation is not None:
            generation.receive(self.events)

    def fail(self, error: Exception) -> None:
        """Send a last event from any thread, past an outbox that may be broken or hang.

        Where another last event waits to be sent, that one is.
        """

        def hand_over() -> None:
            if not any(isinstance(event, Completion | Exception) for event in self.events):
                self.events.append(error)
            self.hand_over()

        with suppress(RuntimeError):  # the event loop is closed: nobody listens
            self.event_loop.call_soon_threadsafe(hand_over)
