"""A connection whose far end can vanish without a word, as when a machine is switched off."""

from __future__ import annotations

import asyncio


class DeadableLine:
    """Carries bytes between a client and a port, until it drops them without a word."""

    @classmethod
    async def start(cls, port: int) -> DeadableLine:
        self = cls()
        self._dead = False
        self._tasks = []
        self._writers = []
        self._server = await asyncio.start_server(
            lambda r, w: self._connect(r, w, port), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _connect(self, reader, writer, port) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers += [writer, far_writer]
        self._tasks += [
            asyncio.create_task(self._carry(reader, far_writer)),
            asyncio.create_task(self._carry(far_reader, writer)),
        ]

    async def _carry(self, reader, writer) -> None:
        while data := await reader.read(4096):
            if not self._dead:
                writer.write(data)
                await writer.drain()

    def die(self) -> None:
        self._dead = True

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()
        self._server.close()
