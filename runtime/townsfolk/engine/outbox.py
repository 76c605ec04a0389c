"""From the engine's thread to the event loops of the callers."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Sequence

from townsfolk.engine.generation import Event
from townsfolk.engine.request import Request

_Letter = tuple[Request, Event]


class Outbox:
    """Collects events during a step and hands each event loop all of its own at once.

    To wake a loop is a system call: one for each loop and step, not one for each token.
    """

    def __init__(self) -> None:
        self._letters: dict[AbstractEventLoop, list[_Letter]] = {}

    def put(self, request: Request, event: Event) -> None:
        """Sends an event with the next flush."""
        self._letters.setdefault(request.event_loop, []).append((request, event))

    def flush(self) -> list[Request]:
        """Hands everything over; gives the requests whose event loop was closed meanwhile."""
        letters, self._letters = self._letters, {}
        lost: list[Request] = []
        for event_loop, own in letters.items():
            try:
                event_loop.call_soon_threadsafe(_deliver, own)
            except RuntimeError:  # the loop is closed
                lost += [request for request, _ in own]
        return lost


def _deliver(letters: Sequence[_Letter]) -> None:
    for request, event in letters:
        generation = request.handle()
        if generation is not None:
            generation.receive(event)
