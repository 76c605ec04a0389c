"""The requests that have not ended, and whether others may come."""

from __future__ import annotations

import threading
from collections.abc import Callable

from townsfolk.engine.errors import EngineClosedError, EngineFailedError, EngineOverloadedError
from townsfolk.engine.outbox import tell_at_once
from townsfolk.engine.request import Request


class OpenRequests:
    """Every request from `add` to its last event; for any thread.

    That is who must be told when the engine fails, whatever its thread is doing then.
    """

    def __init__(self, limit: int) -> None:
        """Let so many requests be open at once."""
        self.total = 0
        """Requests that have ended."""
        self._limit = limit
        self._requests: dict[int, Request] = {}  # by number
        self._lock = threading.Lock()
        self._refusal: EngineFailedError | EngineClosedError | None = None

    def __len__(self) -> int:
        return len(self._requests)

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

    def add(self, request: Request, post: Callable[[], None]) -> None:
        """Take a request, and post it to the engine's thread.

        Raises:
            EngineOverloadedError: As many are open as may be.
            EngineClosedError: The engine was closed.
            EngineFailedError: The engine has failed.
        """
        with self._lock:
            self.check()
            if len(self._requests) >= self._limit:
                raise EngineOverloadedError(self._limit)
            self._requests[request.number] = request
            post()

    def remove(self, request: Request) -> None:
        """Let go of a request that has ended."""
        if self._requests.pop(request.number, None) is not None:
            self.total += 1

    def close(self) -> None:
        """Take no others."""
        with self._lock:
            self._refusal = self._refusal or EngineClosedError()

    def fail(self, error: EngineFailedError) -> None:
        """Take no others, and tell all that are open of the failure."""
        with self._lock:
            self._refusal = error
            failed, self._requests = self._requests, {}
            self.total += len(failed)
        for request in failed.values():
            tell_at_once(request, EngineFailedError(error.reason))
