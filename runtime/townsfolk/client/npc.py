"""One character's session on its own bidirectional stream, re-opened when the runtime was lost."""

from __future__ import annotations

import asyncio
import uuid
from types import TracebackType
from typing import TYPE_CHECKING

import grpc

from townsfolk.client.errors import (
    NotFoundError,
    RuntimeUnavailableError,
    TownsfolkError,
    from_event,
    from_rpc,
    from_status,
)
from townsfolk.client.transcript import Transcript
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1 import dialogue_pb2, townsfolk_pb2
from townsfolk.v1.dialogue_pb2 import SessionConfig, SessionEvent
from townsfolk.v1.sampling_pb2 import SamplingParams

if TYPE_CHECKING:
    from townsfolk.client.aio import AsyncRuntime

    Stream = grpc.aio.StreamStreamCall[
        townsfolk_pb2.ConverseRequest, townsfolk_pb2.ConverseResponse
    ]

RECONNECT_TIMEOUT_S = 10.0


class AsyncNpc:
    """A character to talk to. Several turns queue up and are answered in order.

    The stream opens with the first use. When the connection or the runtime is lost, answers under
    way raise `RuntimeUnavailableError` and the next call connects again: to the session that
    waits in the runtime, or to a new one with the transcript so far.
    """

    def __init__(self, runtime: AsyncRuntime, config: SessionConfig) -> None:
        """Made by `AsyncRuntime.npc`."""
        self.config = config
        self.transcript = Transcript(config.persona.name, config.history)
        self._runtime = runtime
        self._stream: Stream | None = None
        self._reader: asyncio.Task[None] | None = None
        self._turns: dict[str, AsyncTurn] = {}
        self._sending = asyncio.Lock()  # first come, first served: turns keep their order
        self._deliveries: set[asyncio.Task[None]] = set()
        self._opened_before = False

    @property
    def session_id(self) -> str:
        """The session's id; empty until it is open, unless one was chosen."""
        return self.config.session_id

    async def open(self) -> AsyncNpc:
        """Open the session now instead of with the first use; return this object.

        Raises:
            TownsfolkError: The runtime refused the session, or can't be reached.
        """
        async with self._sending:
            await self._connected()
        return self

    def say(
        self,
        text: str,
        speaker: str = "",
        *,
        sampling: SamplingParams | None = None,
        deadline_s: float | None = None,
    ) -> AsyncTurn:
        """Say something to the character; iterate over the returned turn for the answer.

        Args:
            text: What is said.
            speaker: Who says it; empty means "Player".
            sampling: Overrides of the session's sampling for this turn.
            deadline_s: The answer ends within this many seconds, whole or not.
        """
        turn = AsyncTurn(uuid.uuid4().hex, self.interrupt)
        utterance = dialogue_pb2.Utterance(
            text=text,
            speaker=speaker,
            turn_id=turn.turn_id,
            sampling=sampling,
            deadline_ms=round((deadline_s or 0) * 1000),
        )
        delivery = asyncio.get_running_loop().create_task(self._deliver(turn, utterance))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return turn

    async def notify(self, event: str) -> None:
        """Let the character learn of an event in the world, without an answer."""
        await self._send(townsfolk_pb2.ConverseRequest(notify=event))

    async def interrupt(self, turn_id: str = "", heard_characters: int | None = None) -> None:
        """Cut a turn off, or with no turn_id the current one and all that wait."""
        interrupt = townsfolk_pb2.Interrupt(turn_id=turn_id, heard_characters=heard_characters)
        await self._send(townsfolk_pb2.ConverseRequest(interrupt=interrupt))
        if heard_characters is not None:
            self.transcript.cut(turn_id, heard_characters)

    async def set_priority(self, priority: int) -> None:
        """Change the session's priority, -100 to 100."""
        self.config.priority = priority
        await self._send(townsfolk_pb2.ConverseRequest(update_priority=priority))

    async def close(self) -> None:
        """End the session and forget it in the runtime."""
        async with self._sending:
            stream, reader = self._stream, self._reader
            if stream is None or reader is None:
                return
            try:
                await stream.write(townsfolk_pb2.ConverseRequest(close=True))
                await asyncio.wait([reader], timeout=5.0)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                pass  # already gone
            stream.cancel()
            await asyncio.wait([reader])
            self._opened_before = False

    async def disconnect(self) -> None:
        """Leave the stream; the session waits in the runtime to be resumed."""
        if self._stream is not None and self._reader is not None:
            self._stream.cancel()
            await asyncio.wait([self._reader])

    async def _deliver(self, turn: AsyncTurn, utterance: dialogue_pb2.Utterance) -> None:
        try:
            async with self._sending:
                stream = await self._connected()
                self._turns[turn.turn_id] = turn
                self.transcript.ask(turn.turn_id, utterance.speaker, utterance.text)
                await stream.write(townsfolk_pb2.ConverseRequest(say=utterance))
        except grpc.aio.AioRpcError as error:
            self._fail(turn, from_rpc(error))
        except asyncio.InvalidStateError:
            self._fail(turn, RuntimeUnavailableError("the stream ended; say it again"))
        except TownsfolkError as error:
            self._fail(turn, error)

    def _fail(self, turn: AsyncTurn, error: TownsfolkError) -> None:
        self._turns.pop(turn.turn_id, None)
        turn.deliver(error)

    async def _send(self, request: townsfolk_pb2.ConverseRequest) -> None:
        async with self._sending:
            stream = await self._connected()
            try:
                await stream.write(request)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from error
            except asyncio.InvalidStateError as error:
                raise RuntimeUnavailableError("the stream ended; try again") from error

    async def _connected(self) -> Stream:
        """Return the open stream, opening or re-opening it; the caller holds `_sending`."""
        if self._stream is not None and not self._stream.done():
            return self._stream
        if self._reader is not None:
            await asyncio.wait([self._reader])
        if not self._opened_before:
            return await self._open(resume=False)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + RECONNECT_TIMEOUT_S
        pause = 0.1
        while True:
            try:
                await self._runtime.reconnect()
                return await self._reopen()
            except RuntimeUnavailableError:
                if loop.time() + pause > give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _reopen(self) -> Stream:
        try:
            return await self._open(resume=True)
        except NotFoundError:  # a new runtime, or the session waited too long
            await self._runtime.restore_lore()
            del self.config.history[:]
            self.config.history.extend(self.transcript.entries)
            return await self._open(resume=False)

    async def _open(self, *, resume: bool) -> Stream:
        stream: Stream = self._runtime.stub.Converse(metadata=self._runtime.metadata)
        request = townsfolk_pb2.OpenSession(config=self.config, resume=resume)
        try:
            await stream.write(townsfolk_pb2.ConverseRequest(open=request))
            response = await stream.read()
            if response is grpc.aio.EOF:
                raise from_status(await stream.code(), await stream.details() or "")
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        except asyncio.InvalidStateError as error:
            raise from_status(await stream.code(), await stream.details() or "") from error
        assert isinstance(response, townsfolk_pb2.ConverseResponse)
        if response.event.WhichOneof("event") == "error":
            stream.cancel()
            raise from_event(response.event.error)
        self.config.session_id = response.event.opened.session_id
        self._opened_before = True
        self._stream = stream
        self._reader = asyncio.get_running_loop().create_task(self._read(stream))
        return stream

    async def _read(self, stream: Stream) -> None:
        lost: TownsfolkError
        try:
            while True:
                response = await stream.read()
                if not isinstance(response, townsfolk_pb2.ConverseResponse):
                    break  # the end of the stream
                self._dispatch(response.event)
            lost = from_status(await stream.code(), await stream.details() or "")
        except grpc.aio.AioRpcError as error:
            lost = from_rpc(error)
        except asyncio.CancelledError:
            lost = RuntimeUnavailableError("the stream was closed")
        self._stream = None
        self.transcript.lose_connection()
        for turn in self._turns.values():
            turn.deliver(lost)
        self._turns.clear()

    def _dispatch(self, event: SessionEvent) -> None:
        self.transcript.follow(event)
        kind = event.WhichOneof("event")
        turn_id = getattr(getattr(event, kind), "turn_id", "") if kind else ""
        turn = self._turns.get(turn_id)
        if turn is None:
            return
        if kind in ("turn_finished", "turn_interrupted", "error"):
            del self._turns[turn_id]
        turn.deliver(event)

    async def __aenter__(self) -> AsyncNpc:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
