"""All sessions of a runtime."""

import asyncio
import secrets
from pathlib import Path

from townsfolk.dialogue.chat import Chat
from townsfolk.dialogue.chat_model import ChatModel
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.context import ContextWindow
from townsfolk.dialogue.encoding import Spellings
from townsfolk.dialogue.errors import AlreadyExistsError, LimitReachedError, NotFoundError
from townsfolk.dialogue.limits import MAX_HISTORY_BYTES
from townsfolk.dialogue.lore import Lore, LoreBook
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.play import End, PlayLog
from townsfolk.dialogue.play_folder import PlayFolder
from townsfolk.dialogue.session import Session
from townsfolk.engine.interface import TextEngine

MAX_SPELLED_TOKENS = 256 * 1024


class Sessions:
    """Opens, finds and ends sessions; knows the lore.

    All methods but `window` belong to one event loop.

    Sessions share the KV of equal beginnings, so that lore which many characters know is computed
    once. They all belong to whoever may call this runtime; runtimes for parties that don't trust
    each other take one `Sessions` each, with a namespace of its own.
    """

    def __init__(
        self,
        engine: TextEngine,
        *,
        max_sessions: int = 256,
        idle_timeout_s: float = 3600.0,
        max_history_bytes: int = MAX_HISTORY_BYTES,
        namespace: str = "",
        thinking: bool = False,
        play_folder: PlayFolder | None = None,
    ) -> None:
        """Have no sessions yet.

        Args:
            engine: What makes the answers.
            max_sessions: The most sessions that can be open at once.
            idle_timeout_s: After how many seconds a session that nobody holds or speaks to ends.
            max_history_bytes: The most that a session's transcript takes in a message, so that what
                a session gives can be given to another.
            namespace: The trust domain within which KV is shared.
            thinking: Let a model think before it speaks that is made for it; nobody hears it.
            play_folder: Where conversations are kept that have ended; None for nowhere.

        Raises:
            UnsupportedTemplateError: The model's chat template can't be used.
            ValueError: The engine has no tokenizer.
        """
        self._model = ChatModel.of(engine, namespace, thinking=thinking)
        self._max_sessions = max_sessions
        self._idle_timeout_s = idle_timeout_s
        self._max_history_bytes = max_history_bytes
        self._engine = engine
        self._play_folder = play_folder
        self._lore = LoreBook(engine.info.context_length)
        self._spellings = Spellings(min(engine.info.kv_capacity_tokens, MAX_SPELLED_TOKENS))
        self._sessions: dict[str, Session] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self.chat = Chat(self._model)
        """For conversations that are no sessions, in the same template and domain."""

    def register_lore(self, lore: Lore) -> None:
        """Add lore, or replace it for sessions opened from now on.

        Raises:
            InvalidFieldError: It is longer than any character could know it.
            LimitReachedError: There is too much lore.
        """
        self._lore.register(lore)

    def remove_lore(self, lore_id: str) -> None:
        """Forget lore; sessions that were opened with it keep it.

        Raises:
            NotFoundError: No lore has this id.
        """
        self._lore.remove(lore_id)

    def characters(self, config: SessionConfig) -> int:
        """Return how long the texts are that `window` may have to encode.

        Raises:
            NotFoundError: A lore id is not registered.
        """
        lore = sum(map(len, self._lore.texts(config.lore_ids)))
        history = sum(len(entry.text) for entry in config.history)
        both = config.persona.characters + lore + history
        return both if config.contrast is None else 2 * both

    def window(self, config: SessionConfig) -> ContextWindow:
        """Encode a session's persona, lore and history, for `open`; may run in any thread.

        Raises:
            InvalidFieldError: Persona and lore are too long.
            NotFoundError: A lore id is not registered.
        """
        window = self._window(config, config.persona)
        if config.contrast is not None:
            window.plain = self._window(config, config.contrast.plain(config.persona))
        return window

    def open(self, config: SessionConfig, window: ContextWindow | None = None) -> Session:
        """Open a session.

        Args:
            config: What it is to be.
            window: From `window`, so that what takes milliseconds need not be done here.

        Raises:
            AlreadyExistsError: There is a session of this id.
            InvalidFieldError: Persona and lore are too long, or sampling is out of range.
            LimitReachedError: Too many sessions are open.
            NotFoundError: A lore id is not registered.
        """
        session_id = config.session_id or secrets.token_hex(8)
        if session_id in self._sessions:
            raise AlreadyExistsError(
                f"session_id: there is a session {session_id!r}; resume or close it first"
            )
        if len(self._sessions) >= self._max_sessions:
            raise LimitReachedError(
                f"{self._max_sessions} sessions are open, the runtime's limit: close one first"
            )
        is_recorded = self._play_folder is not None and not config.off_the_record
        lore = self._lore.texts(config.lore_ids) if is_recorded else ()
        session = Session(
            session_id,
            config,
            window or self.window(config),
            self._model,
            self._max_history_bytes,
            PlayLog(tuple(lore)) if is_recorded else None,
        )
        self._sessions[session_id] = session
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        return session

    def get(self, session_id: str) -> Session:
        """Return the open session of this id.

        Raises:
            NotFoundError: There is none.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise NotFoundError(f"session_id: no session {session_id!r} is open; open it first")
        return session

    def list(self) -> list[Session]:
        """Return all open sessions, by id."""
        return [self._sessions[session_id] for session_id in sorted(self._sessions)]

    def __len__(self) -> int:
        return len(self._sessions)

    async def close(self, session_id: str) -> None:
        """End a session and forget it.

        Raises:
            NotFoundError: There is none of this id.
        """
        session = self.get(session_id)
        del self._sessions[session_id]
        await self._end(session, End.CLOSED)

    async def aclose(self) -> None:
        """End all sessions."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        ending, self._sessions = [*self._sessions.values()], {}
        await asyncio.gather(*(self._end(session, End.STOPPED) for session in ending))

    async def _end(self, session: Session, end: End) -> None:
        """End a session, and keep what was played where that is asked for."""
        await session.close()
        if self._play_folder is not None and session.play_log is not None:
            played = session.played(Path(self._engine.info.model).name, end)
            await asyncio.to_thread(self._play_folder.keep, played)

    def _window(self, config: SessionConfig, persona: Persona) -> ContextWindow:
        return ContextWindow(
            persona,
            self._lore.texts(config.lore_ids),
            self._model.template,
            self._model.tokenizer,
            self._model.context_tokens,
            config.history,
            self._spellings,
            self._model.actions(config.actions).text,
        )

    async def _sweep(self) -> None:
        """End sessions that have been idle for too long, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._idle_timeout_s / 4, 60))
            for session in self.list():
                since = session.idle_since
                if since is not None and loop.time() - since >= self._idle_timeout_s:
                    self._sessions.pop(session.id, None)
                    await self._end(session, End.IDLE)
