"""The requests that have not ended, and whether others may come."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from townsfolk.engine.errors import EngineClosedError, EngineFailedError, EngineOverloadedError
from townsfolk.engine.output_queue import OutputQueue


class OpenRequests:
    """Every request from `add` to its last event; for any thread.

    That is who must be told when the engine fails, whatever its thread is doing then.
    """

    def __init__(self, limit: int) -> None:
        """Let so many requests be open at once."""
        self.total = 0
        """Requests that have ended."""
        self._limit = limit
        self._queues: dict[int, OutputQueue] = {}  # by number of the request
        self._domains: dict[int, str] = {}  # likewise, of those that have one
        self._counts: Counter[str] = Counter()  # of each domain
        self._ended: list[OutputQueue] = []  # whose last events were not sent yet
        self._lock = threading.Lock()
        self._refusal: EngineFailedError | EngineClosedError | None = None

    def __len__(self) -> int:
        return len(self._queues)

    @property
    def closed(self) -> bool:
        """Whether no other request is taken."""
        return self._refusal is not None

    def check(self) -> None:
        """Check that the engine runs.

        Raises:
            EngineClosedError: It was closed.
            EngineFailedError: It has failed.
        """
        if isinstance(self._refusal, EngineFailedError):
            raise EngineFailedError(self._refusal.reason) from self._refusal
        if self._refusal is not None:
            raise EngineClosedError

    def add(
        self, number: int, queue: OutputQueue, post: Callable[[], None], domain: str = ""
    ) -> None:
        """Take the request of this number, and post it to the engine's thread.

        Those of one trust domain may have as much room as is left, so that some is left always for
        another: one alone has half of all, two a third each. Without a domain there is no such
        limit.

        Raises:
            EngineOverloadedError: As many are open as may be.
            EngineClosedError: The engine was closed.
            EngineFailedError: The engine has failed.
        """
        with self._lock:
            self.check()
            room = self._limit - len(self._queues)
            if room <= 0:
                raise EngineOverloadedError(self._limit)
            if domain and self._counts[domain] >= room:
                raise EngineOverloadedError(self._limit, of_one=self._counts[domain])
            self._queues[number] = queue
            if domain:
                self._domains[number] = domain
                self._counts[domain] += 1
            post()

    def remove(self, number: int) -> None:
        """Let go of a request that has ended; its caller is known until `note_sent`."""
        with self._lock:
            queue = self._queues.pop(number, None)
            domain = self._domains.pop(number, None)
            if domain is not None:
                self._counts[domain] -= 1
                self._counts += Counter()  # without those that are at nothing
        if queue is not None:
            self._ended.append(queue)
            self.total += 1

    def note_sent(self) -> None:
        """Note that the last events of all that have ended were sent."""
        self._ended = []

    def close(self) -> None:
        """Take no others."""
        with self._lock:
            self._refusal = self._refusal or EngineClosedError()

    def fail(self, error: EngineFailedError) -> None:
        """Take no others, and tell all that are open of the failure."""
        with self._lock:
            self._refusal = error
            failed, self._queues = self._queues, {}
            self.total += len(failed)
        for queue in (*failed.values(), *self._ended):
            queue.fail(EngineFailedError(error.reason))
