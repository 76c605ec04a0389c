"""A character's session on its own bidirectional stream, re-opened when the runtime was lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress

from townsfolk.client.cast import Member
from townsfolk.client.errors import NotFoundError, RuntimeUnavailableError, TownsfolkError
from townsfolk.client.session_host import SessionHost
from townsfolk.client.stream import SessionStream
from townsfolk.v1.dialogue_pb2 import SessionConfig, SessionEvent
from townsfolk.v1.townsfolk_pb2 import ConverseRequest, OpenSession

RECONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
# The most lines of a history that a runtime takes.
MAX_HISTORY = 10_000
# Of the messages that a history is wrapped in, in bytes.
MESSAGE_OVERHEAD = 64


class Attachment:
    """What attaches a character to its session. One caller at a time opens or closes it.

    Attributes:
        config: what the session is opened with, but for its history.
    """

    def __init__(
        self,
        npc: Member,
        host: SessionHost,
        config: SessionConfig,
        follow: Callable[[SessionEvent], None],
        lose: Callable[[TownsfolkError], None],
    ) -> None:
        """Be attached to nothing yet.

        Args:
            npc: The character.
            host: Where its session is.
            config: What that is opened with.
            follow: Is called with each event of it.
            lose: Is called with the reason when nothing comes any more.
        """
        self.config = config
        self._npc = npc
        self._host = host
        self._follow = follow
        self._report_loss = lose
        self._stream: SessionStream | None = None
        self._may_exist = False  # whether the runtime has the session, as far as is known

    async def connected(self) -> SessionStream:
        """Return the open stream, opening or re-opening it.

        Raises:
            TownsfolkError: The runtime refused the session, or can't be reached.
        """
        if self._stream is not None:
            if self._stream.is_open:
                return self._stream
            await self._stream.ended()
        if not self._may_exist:
            await self._host.reconnect()
            return await self._open(resume=False)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + RECONNECT_TIMEOUT_S
        pause = 0.1
        while True:
            try:
                await self._host.reconnect()
                return await self._reopen()
            except RuntimeUnavailableError:
                if not self._host.connection.is_open or loop.time() + pause > give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _reopen(self) -> SessionStream:
        try:
            stream = await self._open(resume=True)
        except NotFoundError:  # a new runtime, or the session waited too long
            await self._host.lore.restore()
            return await self._open(resume=False)
        # What the runtime generated when the connection broke may be more than what came here.
        session = await self._host.session(self.config.session_id)
        self._npc.transcript.replace(session.config.history)
        return stream

    async def _open(self, *, resume: bool) -> SessionStream:
        # An id of our own, so that a session whose opening was broken off is found again.
        self.config.session_id = self.config.session_id or uuid.uuid4().hex
        opening = OpenSession(config=self.config, resume=resume)
        del opening.config.history[:]
        if not resume and self._npc.transcript.entries:
            room = (await self._host.info()).max_message_bytes - opening.ByteSize()
            self._npc.transcript.keep_newest(MAX_HISTORY, room - MESSAGE_OVERHEAD)
            opening.config.history.extend(self._npc.transcript.entries)
        self._may_exist = True
        self._host.remember(self._npc)
        try:
            stream = await SessionStream.open(
                self._host.connection, opening, self._follow, self._lose
            )
        except TownsfolkError as error:
            if not isinstance(error, RuntimeUnavailableError):
                self._may_exist = False
                self._host.forget(self._npc)
            raise
        self._stream = stream
        return stream

    async def close(self) -> None:
        """End the session, and forget it in the runtime."""
        is_over = not self._may_exist
        if self._stream is not None:
            is_over = await self._end_stream(self._stream)
        if not is_over:  # nobody is attached to it, but it waits in the runtime
            with suppress(TownsfolkError):
                await self._host.close_session(self.config.session_id, CLOSE_TIMEOUT_S)
        self._may_exist = False
        self._host.forget(self._npc)

    async def leave(self) -> None:
        """Leave the stream; the session waits in the runtime to be resumed."""
        if self._stream is not None:
            self._stream.cancel()
            await self._stream.ended()
        self._host.forget(self._npc)

    async def _end_stream(self, stream: SessionStream) -> bool:
        """Close session and stream; return False where the stream was lost and the session not."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await stream.send(ConverseRequest(close=True))
                return await stream.ended()
        except TownsfolkError:
            return False
        except TimeoutError:
            return True  # a runtime that does not answer here does not elsewhere
        finally:
            stream.cancel()
            await stream.ended()

    def _lose(self, reason: TownsfolkError) -> None:
        self._stream = None
        self._report_loss(reason)
