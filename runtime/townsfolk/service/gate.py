"""Whether the runtime takes calls now: it loads, it serves, or it is about to end."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from townsfolk.dialogue.episodes import Episodes
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn_log import ErrorRecord
from townsfolk.engine.interface import TextEngine
from townsfolk.service.encoding import EncodingThreads
from townsfolk.service.errors import UnavailableError
from townsfolk.service.settings import ServiceSettings
from townsfolk.text.tokenizer import Tokenizer

MAX_ERRORS = 64


@dataclass(frozen=True, slots=True)
class Backend:
    """What the service translates to."""

    engine: TextEngine
    sessions: Sessions
    episodes: Episodes
    tokenizer: Tokenizer
    encoding: EncodingThreads

    @classmethod
    def make(cls, engine: TextEngine, settings: ServiceSettings) -> Backend:
        """Put sessions over an engine. To be called in the event loop that serves.

        Raises:
            ValueError: The engine has no tokenizer.
            UnsupportedTemplateError: The model's chat template can't be used.
        """
        if engine.tokenizer is None:
            raise ValueError("the engine has no tokenizer: nobody could speak with it")
        sessions = Sessions(
            engine,
            max_sessions=settings.max_sessions,
            idle_timeout_s=settings.session_idle_timeout_s,
            max_history_bytes=settings.max_message_bytes * 3 // 4,
            thinking=settings.thinking,
            play_folder=settings.play_folder,
        )
        return cls(engine, sessions, Episodes(sessions), engine.tokenizer, EncodingThreads())

    async def aclose(self) -> None:
        """End all sessions, then the engine."""
        self.encoding.close()
        await self.sessions.aclose()
        await self.engine.aclose()


class Gate:
    """Holds the backend once there is one, and counts the answers under way."""

    def __init__(self) -> None:
        """Begin without a backend, as the model is still loading."""
        self._backend: Backend | None = None
        self._answers: set[object] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closing = asyncio.Event()
        """Set once the runtime is about to end: streams without an answer under way end too."""
        self._why_closed = ""
        self.errors: deque[ErrorRecord] = deque(maxlen=MAX_ERRORS)
        """What calls, and requests on streams, ended with of late; oldest first."""

    def open(self, backend: Backend) -> None:
        """Let calls through."""
        self._backend = backend

    def close(self, why: str) -> None:
        """Refuse new answers from now on; the first reason counts."""
        self._why_closed = self._why_closed or why
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

    @property
    def loaded(self) -> bool:
        """Whether there is a backend."""
        return self._backend is not None

    def check_open(self) -> None:
        """Raise UnavailableError when the runtime is about to end."""
        if self.closing.is_set():
            raise UnavailableError(f"{self._why_closed}; call it again when it is back")

    def begin(self, answer: object) -> None:
        """Hold off the runtime's end while this answer is under way."""
        self._answers.add(answer)
        self._idle.clear()

    def end(self, answer: object) -> None:
        """Let go of an answer; nothing happens when it was let go of before."""
        self._answers.discard(answer)
        if not self._answers:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no answer is under way."""
        await self._idle.wait()
