"""The world knowledge that a client has registered, for a runtime that has forgotten it."""

from __future__ import annotations

from townsfolk.client.arguments import message
from townsfolk.client.connection import Connection
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.dialogue_pb2 import Lore


class LoreBook:
    """Registers lore, and remembers it."""

    def __init__(self, connection: Connection) -> None:
        """Begin with none."""
        self._connection = connection
        self._lore: dict[str, Lore] = {}

    async def register(self, lore_id: str, text: str) -> int:
        """Register lore; return its length in tokens."""
        lore = message(Lore, lore_id=lore_id, text=text)
        request = pb.RegisterLoreRequest(lore=lore)
        response: pb.RegisterLoreResponse = await self._connection.call(
            self._connection.stub.RegisterLore, request
        )
        self._lore[lore_id] = lore
        return response.tokens

    async def remove(self, lore_id: str) -> None:
        """Forget lore.

        Raises:
            NotFoundError: There is no such lore.
        """
        request = message(pb.RemoveLoreRequest, lore_id=lore_id)
        self._lore.pop(lore_id, None)
        await self._connection.call(self._connection.stub.RemoveLore, request)

    async def restore(self) -> None:
        """Register all lore again, in a runtime that has forgotten it."""
        for lore in self._lore.values():
            await self._connection.call(
                self._connection.stub.RegisterLore, pb.RegisterLoreRequest(lore=lore)
            )
