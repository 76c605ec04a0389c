"""What the characters of one runtime share: the connection, its lore, and who has a session."""

from __future__ import annotations

import asyncio

from townsfolk.client.arguments import message
from townsfolk.client.cast import Cast, Member
from townsfolk.client.choice import Choice
from townsfolk.client.connection import CALL_TIMEOUT_S, Connection
from townsfolk.client.lore_book import LoreBook
from townsfolk.v1 import townsfolk_pb2 as pb


class SessionHost:
    """Where characters have their sessions.

    Attributes:
        connection: to the runtime.
        lore: what was registered there.
        open: characters whose sessions are to be closed at the end.
        cast: all characters.
    """

    def __init__(self, connection: Connection) -> None:
        """Have no characters yet."""
        self.connection = connection
        self.lore = LoreBook(connection)
        self.open: set[Member] = set()
        self.cast = Cast(self.open.__contains__)
        self._reconnecting = asyncio.Lock()

    async def reconnect(self) -> None:
        """Make sure a runtime is there: restart a launched one that died.

        Raises:
            RuntimeUnavailableError: It can't be started, or this connection was closed.
        """
        async with self._reconnecting:
            if await self.connection.renew():
                await self.lore.restore()

    def remember(self, npc: Member) -> None:
        """Take note of a session to be closed at the end."""
        self.open.add(npc)
        self.cast.add(npc)

    def forget(self, npc: Member) -> None:
        """Leave a session as it is at the end."""
        self.open.discard(npc)

    async def info(self) -> pb.GetRuntimeInfoResponse:
        """Return what runs there."""
        response: pb.GetRuntimeInfoResponse = await self.connection.call(
            self.connection.stub.GetRuntimeInfo, pb.GetRuntimeInfoRequest()
        )
        return response

    async def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session's configuration and transcript."""
        response: pb.GetSessionResponse = await self.connection.call(
            self.connection.stub.GetSession, message(pb.GetSessionRequest, session_id=session_id)
        )
        return response

    async def close_session(self, session_id: str, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """End a session, whoever opened it."""
        request = message(pb.CloseSessionRequest, session_id=session_id)
        await self.connection.call(self.connection.stub.CloseSession, request, timeout_s)

    async def choose(self, request: pb.ChooseRequest) -> Choice:
        """Choose one of some texts."""
        response: pb.ChooseResponse = await self.connection.call(
            self.connection.stub.Choose, request
        )
        return Choice(response)

    async def answer_action(self, request: pb.AnswerActionRequest) -> None:
        """Say what came of an action."""
        await self.connection.call(self.connection.stub.AnswerAction, request)
