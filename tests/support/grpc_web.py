"""A gRPC-Web client over a bare socket, written from the specification: nothing of the server's."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from urllib.parse import unquote

SERVICE = "/townsfolk.v1.TownsfolkService/"
BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text+proto"


def frame(message: bytes, flags: int = 0) -> bytes:
    return bytes([flags]) + len(message).to_bytes(4, "big") + message


class WebCall:
    """One request; `async with` sends it and reads the answer's head."""

    def __init__(
        self,
        port: int,
        path: str,
        body: bytes,
        *,
        method: str = "POST",
        content_type: str = BINARY,
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._port = port
        self._tls = tls
        self._text = content_type == TEXT
        if self._text:
            body = base64.b64encode(body)
        lines = [
            f"{method} {path if path.startswith('/') else SERVICE + path} HTTP/1.1",
            "host: localhost",
            f"content-length: {len(body)}",
            f"content-type: {content_type}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        self.status = 0
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}

    async def __aenter__(self) -> WebCall:
        self._reader, self._writer = await asyncio.open_connection(
            "localhost" if self._tls else "127.0.0.1", self._port, ssl=self._tls
        )
        self._writer.write(self._request)
        self.status = int((await self._reader.readline()).split()[1])
        while (line := (await self._reader.readline()).strip().decode()) != "":
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def body(self) -> bytes:
        """The whole rest of the answer."""
        return b"".join([piece async for piece in self._pieces()])

    async def messages(self) -> AsyncIterator[bytes]:
        """Messages as they come; `trailers` is filled at their end."""
        data = b""
        async for piece in self._pieces():
            data += base64.b64decode(piece) if self._text else piece
            while len(data) >= 5 and len(data) >= 5 + (size := int.from_bytes(data[1:5], "big")):
                flags, payload, data = data[0], data[5 : 5 + size], data[5 + size :]
                if not flags & 0x80:
                    yield payload
                    continue
                for line in payload.decode("ascii").splitlines():
                    name, value = line.split(":", 1)
                    self.trailers[name] = unquote(value)
        assert not data

    async def _pieces(self) -> AsyncIterator[bytes]:
        if "content-length" in self.headers:
            yield await self._reader.readexactly(int(self.headers["content-length"]))
        elif self.headers.get("transfer-encoding") == "chunked":
            while (size := int(await self._reader.readline(), 16)) > 0:
                yield await self._reader.readexactly(size)
                await self._reader.readline()
            await self._reader.readline()

    @property
    def code(self) -> int:
        return int(self.trailers["grpc-status"])

    @property
    def message(self) -> str:
        return self.trailers.get("grpc-message", "")


async def call(port: int, path: str, body: bytes, **options) -> tuple[WebCall, list[bytes]]:
    """A call to its end, and its messages."""
    async with WebCall(port, path, body, **options) as it:
        return it, [message async for message in it.messages()]
