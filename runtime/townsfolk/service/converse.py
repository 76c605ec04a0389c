"""One stream of one character's session, both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from townsfolk.dialogue.errors import AlreadyExistsError
from townsfolk.dialogue.events import Interrupted, SessionEvent, SessionOpened
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.turn import Turn
from townsfolk.dialogue.turn_log import ErrorRecord
from townsfolk.service.errors import (
    InvalidRequestError,
    StreamOrderError,
    UnknownFieldsError,
    is_fault,
)
from townsfolk.service.gate import Gate
from townsfolk.service.messages import events, turns
from townsfolk.service.messages.sessions import script_lines, session_config
from townsfolk.v1.townsfolk_pb2 import ConverseRequest, ConverseResponse, OpenSession

logger = logging.getLogger(__name__)

Write = Callable[[ConverseResponse], Awaitable[None]]

# A client that does not read is not listened to: what it is told waits, and so does what it asks. A
# session lets fewer turns wait for their answers than this, so that only answers nobody reads can
# fill the queue of turns.
MAX_UNREAD_TURNS = 64


async def open_session(gate: Gate, request: OpenSession) -> tuple[Session, SessionOpened]:
    """Open a session or find the one to resume; return it with the event that says so.

    Raises:
        DialogueError: The session can't be opened, or there is none to resume.
        InvalidRequestError: A field's value is not allowed.
        UnavailableError: The runtime is about to end.
    """
    sessions = gate.backend.sessions
    if request.resume:
        session = sessions.get(request.config.session_id)
        await need_adapter(gate, session.config.adapter)
    else:
        config = session_config(request.config)
        # Not here: others speak. To encode 4,000 tokens takes 10 ms.
        characters = sessions.characters(config)
        window = await gate.backend.encoding.run(characters, sessions.window, config)
        await need_adapter(gate, config.adapter)
        gate.check_open()
        session = sessions.open(config, window)
    return session, session.opened(resumed=request.resume)


async def need_adapter(gate: Gate, name: str) -> None:
    """Load an adapter that is named, unless it is loaded.

    Raises:
        EngineError: There is none of this name, it can't be used, or there is no room for it.
    """
    if name:
        await gate.backend.engine.adapters.need(name)


class Conversation:
    """Turns a stream's requests into calls on a session, and what happens into events.

    Requests are read while answers are written, so that an interruption comes through at once.
    What goes wrong with a request becomes an error event, and the stream goes on.
    """

    def __init__(self, gate: Gate, requests: AsyncIterator[ConverseRequest], write: Write) -> None:
        """Take both directions of a stream; `run` does the rest."""
        self._gate = gate
        self._requests = requests
        self._write = write
        self._sessions = gate.backend.sessions
        self._tokenizer = gate.backend.tokenizer
        self._turns: asyncio.Queue[Turn | None] = asyncio.Queue(MAX_UNREAD_TURNS)
        self._writing = asyncio.Lock()
        self._unfinished: set[Turn] = set()

    async def run(self) -> None:
        """Serve the stream until it ends.

        Raises:
            StreamOrderError: The first request is not `open`.
            UnavailableError: The runtime is about to end.
            Exception: The session can't be opened; see `open_session`.
        """
        self._gate.check_open()
        session, opened = await open_session(self._gate, await self._first())
        with session.held():
            try:
                await self._send(opened)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(session))
                    await self._answer()
            finally:
                for turn in list(self._unfinished):
                    turn.interrupt()
                    self._over(turn)
        self._gate.check_open()

    async def _first(self) -> OpenSession:
        first = await anext(self._requests, None)
        if first is None or first.WhichOneof("request") != "open":
            raise StreamOrderError("request: the first on a stream must be open")
        return first.open

    async def _send(self, event: SessionEvent) -> None:
        message = ConverseResponse()
        events.write_event(message.event, event, self._tokenizer)
        await self._send_message(message)

    async def _send_error(self, error: Exception, turn_id: str = "") -> None:
        await self._send_message(ConverseResponse(event=events.error_message(error, turn_id)))

    async def _send_message(self, message: ConverseResponse) -> None:
        await self._writing.acquire()  # `async with` takes three times as long, for each token
        try:
            await self._write(message)
        finally:
            self._writing.release()

    async def _listen(self, session: Session) -> None:
        """Take requests until the client has no more, or the runtime is about to end."""
        reading = asyncio.create_task(self._read(session))
        closing = asyncio.create_task(self._gate.closing.wait())
        try:
            await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            reading.cancel()
            closing.cancel()
        await self._turns.put(None)

    async def _read(self, session: Session) -> None:
        going_on = True
        while going_on:
            try:
                request = await anext(self._requests, None)
            except InvalidRequestError as error:
                await self._send_error(error)
                continue
            except UnknownFieldsError as error:
                turn_id = (
                    error.request.say.turn_id if isinstance(error.request, ConverseRequest) else ""
                )
                await self._send_error(error, turn_id)
                continue
            if request is None:
                return
            try:
                going_on = await self._take(session, request)
            except Exception as error:
                if is_fault(error):
                    logger.exception("a request failed", extra={"session": session.id})
                self._gate.errors.append(
                    ErrorRecord.of(error, method="Converse", session_id=session.id)
                )
                # The other turn of that name is not over.
                taken = isinstance(error, AlreadyExistsError)
                turn_id = "" if taken else request.say.turn_id
                await self._send_error(error, turn_id)

    async def _take(self, session: Session, request: ConverseRequest) -> bool:
        """Do what one request wants; return whether more may come."""
        match request.WhichOneof("request"):
            case "say":
                self._gate.check_open()
                turn = session.say(turns.utterance(request.say))
                self._gate.begin(turn)
                self._unfinished.add(turn)
                await self._turns.put(turn)
            case "notify":
                await self._send(session.notify(request.notify))
            case "record":
                await self._send(session.record(script_lines(request.record)))
            case "interrupt":
                cut = session.interrupt(*turns.interruption(request.interrupt))
                await self._send(Interrupted(tuple(cut)))
            case "update_priority":
                await self._send(session.set_priority(request.update_priority))
            case "close":
                await self._sessions.close(session.id)
                return False
            case "open":
                raise StreamOrderError(
                    "request: this stream has its session; open another on a stream of its own"
                )
            case _:
                raise InvalidRequestError(
                    "request: set one of say, notify, record, interrupt, update_priority, close"
                )
        return True

    async def _answer(self) -> None:
        """Give the events of one turn after the other."""
        while (turn := await self._turns.get()) is not None:
            async for event in turn:
                await self._send(event)
            self._over(turn)

    def _over(self, turn: Turn) -> None:
        self._unfinished.discard(turn)
        self._gate.end(turn)
