"""A session's stream: requests one way, events the other, and which answers which."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from townsfolk.client.connection import Connection
from townsfolk.client.errors import (
    RuntimeUnavailableError,
    TownsfolkError,
    from_event,
    from_status,
    typed_errors,
)
from townsfolk.v1.dialogue_pb2 import SessionEvent
from townsfolk.v1.townsfolk_pb2 import ConverseRequest, ConverseResponse, OpenSession

if TYPE_CHECKING:
    Call = grpc.aio.StreamStreamCall[ConverseRequest, ConverseResponse]

# What a runtime may take to answer a request that no model is involved in, in seconds.
ANSWER_TIMEOUT_S = 30.0
ANSWERS = ("notified", "interrupted", "priority_updated", "recorded")


class SessionStream:
    """An open stream. Its reader hands on what happens, until the stream ends or is cancelled."""

    def __init__(
        self,
        call: Call,
        follow: Callable[[SessionEvent], None],
        lose: Callable[[TownsfolkError], None],
    ) -> None:
        """Made by `open`."""
        self._call = call
        self._follow = follow
        self._lose = lose
        self._waiting: deque[asyncio.Future[SessionEvent]] = deque()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(
        cls,
        connection: Connection,
        opening: OpenSession,
        follow: Callable[[SessionEvent], None],
        lose: Callable[[TownsfolkError], None],
    ) -> SessionStream:
        """Open a session or attach to one.

        Args:
            connection: To its runtime.
            opening: The session.
            follow: Is called with each event to come.
            lose: Is called once, with the reason, when nothing comes any more.

        Raises:
            TownsfolkError: The runtime refused it, did not answer, or can't be reached.
        """
        with typed_errors():
            call: Call = connection.stub.Converse(metadata=connection.metadata)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await _begin(call, opening)
        except TimeoutError as error:
            call.cancel()
            raise RuntimeUnavailableError(
                f"the runtime did not open the session within {ANSWER_TIMEOUT_S:g} s"
            ) from error
        except BaseException:
            call.cancel()
            raise
        return cls(call, follow, lose)

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return not self._reader.done() and not self._call.done()

    async def send(self, request: ConverseRequest) -> None:
        """Send a request that events of a turn will answer.

        Raises:
            RuntimeUnavailableError: The stream has ended.
        """
        with typed_errors():
            await self._call.write(request)

    async def ask(self, request: ConverseRequest) -> asyncio.Future[SessionEvent]:
        """Send a request that one event answers; return the future event.

        The future raises the `TownsfolkError` that the runtime answers with.

        Raises:
            RuntimeUnavailableError: The stream has ended.
        """
        answer: asyncio.Future[SessionEvent] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        try:
            await self.send(request)
        except BaseException:
            answer.cancel()  # stays in its place: the request may have gone out
            raise
        return answer

    async def ended(self) -> bool:
        """Wait for the end; return whether the runtime ended it well, as after `close`."""
        await asyncio.wait([self._reader])
        return not self._call.cancelled() and await self._call.code() is grpc.StatusCode.OK

    def cancel(self) -> None:
        """Leave the stream."""
        self._call.cancel()

    async def _read(self) -> None:
        lost: TownsfolkError = RuntimeUnavailableError("the stream was closed")
        try:
            with typed_errors():
                while True:
                    response: Any = await self._call.read()
                    if response is grpc.aio.EOF:
                        break
                    self._take(response.event)
                lost = from_status(await self._call.code(), await self._call.details() or "")
        except TownsfolkError as error:
            lost = error
        finally:
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(lost)
            self._waiting.clear()
            self._lose(lost)

    def _take(self, event: SessionEvent) -> None:
        kind = event.WhichOneof("event")
        refused = kind == "error" and not event.error.turn_id
        if (refused or kind in ANSWERS) and self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                if refused:
                    answer.set_exception(from_event(event.error))
                else:
                    answer.set_result(event)
        self._follow(event)


async def _begin(call: Call, opening: OpenSession) -> None:
    with typed_errors():
        try:
            await call.write(ConverseRequest(open=opening))
            response: Any = await call.read()
        except asyncio.InvalidStateError:  # ended before it was written
            response = grpc.aio.EOF
        if response is grpc.aio.EOF:
            raise from_status(await call.code(), await call.details() or "")
    if response.event.WhichOneof("event") == "error":
        raise from_event(response.event.error)
