"""Whether the runtime takes calls now: it loads, it serves, or it is about to end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from townsfolk.dialogue.sessions import Sessions
from townsfolk.engine.engine import Engine
from townsfolk.service.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Backend:
    """What the service translates to."""

    engine: Engine
    sessions: Sessions


class Gate:
    """Holds the backend once there is one, and counts the answers under way."""

    def __init__(self) -> None:
        """Begin closed, as the model is still loading."""
        self._backend: Backend | None = None
        self._answers = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.closing = asyncio.Event()
        """Set once the runtime is about to end: streams without an answer under way end too."""

    def open(self, backend: Backend) -> None:
        """Let calls through."""
        self._backend = backend

    def close(self) -> None:
        """Refuse new answers from now on."""
        self.closing.set()

    @property
    def backend(self) -> Backend:
        """Engine and sessions.

        Raises:
            UnavailableError: The model is still loading.
        """
        if self._backend is None:
            raise UnavailableError(
                "the model is still loading; wait until the health service says SERVING"
            )
        return self._backend

    def check_open(self) -> None:
        """Raise UnavailableError when the runtime is about to end."""
        if self.closing.is_set():
            raise UnavailableError("the runtime is shutting down and takes no new turns")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Hold off the runtime's end while an answer is under way.

        Raises:
            UnavailableError: The runtime is about to end.
        """
        self.check_open()
        self._answers += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._answers -= 1
            if self._answers == 0:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until no answer is under way."""
        await self._idle.wait()
