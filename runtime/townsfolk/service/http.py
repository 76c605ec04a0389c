"""What the applications of the web port share: ASGI's types, bodies, answers, other origins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

# ASGI's own types, as its specification has them.
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_PREFLIGHT_S = b"7200"
# How long a request's body may take to arrive, in seconds.
BODY_S = 30.0


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


def headers_of(scope: Event) -> dict[str, str]:
    """Return a request's headers by their names in lower case."""
    return {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}


async def read_body(receive: Receive, most: int) -> bytes | None:
    """Return a request's body; None if it has more than `most` bytes.

    Raises:
        DisconnectedError: The client went away before.
        TimeoutError: It took more than BODY_S.
    """
    body, more = bytearray(), True
    async with asyncio.timeout(BODY_S):
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise DisconnectedError
            more = event.get("more_body", False)
            # What is too long is read to its end and thrown away, so that the answer arrives.
            if len(body) <= most:
                body += event.get("body", b"")
    return bytes(body) if len(body) <= most else None


async def until_disconnected(receive: Receive) -> None:
    """Wait until the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do some work, whose body was read; cancel it when the client goes away."""
    watch = asyncio.create_task(until_disconnected(receive))
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({watch, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        task.cancel()  # does nothing to one that is done
        await asyncio.wait({watch, task})
    if not task.cancelled():
        task.result()


async def answer(send: Send, status: int, text: str, headers: Headers | None = None) -> None:
    """Send a whole answer of plain text."""
    body = f"{text}\n".encode() if text else b""
    head = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or [])]
    await send_whole(send, status, body, head)


async def send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send a whole answer."""
    head = [*headers, (b"content-length", str(len(body)).encode())] if body else headers
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def cors(origin: str | None) -> Headers:
    """Return the headers that let a page of this origin read the answer."""
    if origin is None:
        return []
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


def preflight(headers: dict[str, str], methods: bytes, allowed: bytes) -> Headers:
    """Return what a browser is told that asks whether a page may call."""
    allow: Headers = [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", _PREFLIGHT_S),
    ]
    # A page from the internet asks so before it may call a server on this machine.
    if headers.get("access-control-request-private-network") == "true":
        allow.append((b"access-control-allow-private-network", b"true"))
    return allow
