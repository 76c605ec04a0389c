"""gRPC-Web on the web port: HTTP/1.1 for engines and browsers that have no HTTP/2.

Each request becomes a call on a channel to this process's own gRPC server, with its bytes as they
are. So there is one servicer, and authentication, limits, deadlines, cancellation and back-pressure
are the gRPC server's own. The way through a socket costs a fraction of a millisecond a message; an
adapter that imitates a gRPC context would have to do all of those again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import grpc
import grpc.aio

from townsfolk import contract
from townsfolk.service import http
from townsfolk.service import web_frames as frames
from townsfolk.service.http import DisconnectedError, Headers, Receive, Send
from townsfolk.v1 import townsfolk_pb2

Call = grpc.aio.UnaryStreamCall[bytes, bytes]

_BINARY = frozenset({"application/grpc-web", "application/grpc-web+proto"})
_TEXT = frozenset({"application/grpc-web-text", "application/grpc-web-text+proto"})
# Of what a request says about itself, this goes on to the gRPC server.
_FORWARDED = ("authorization", contract.HEADER)
_ALLOWED_HEADERS = ", ".join(
    (*_FORWARDED, "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent")
).encode()
_SERVICE = townsfolk_pb2.DESCRIPTOR.services_by_name["TownsfolkService"]
_CLIENT_STREAMING = frozenset(
    f"/{_SERVICE.full_name}/{method.name}" for method in _SERVICE.methods if method.client_streaming
)


class RefusedError(Exception):
    """The call ends before it reaches the gRPC server."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """Remember the status to answer with."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class WebReply:
    """The HTTP answer to one call: its messages, then its trailers."""

    send: Send
    content_type: str
    cors: Headers

    async def start(self) -> None:
        """Send status and headers: 200, as the call's own status travels in the trailers."""
        headers = [(b"content-type", self.content_type.encode()), *self.cors]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})

    async def message(self, message: bytes) -> None:
        """Send one message; waits while the client reads slowly."""
        await self._frame(frames.data_frame(message), more=True)

    async def end(self, code: grpc.StatusCode, message: str) -> None:
        """Send the trailers."""
        await self._frame(frames.trailer_frame(code.value[0], message), more=False)

    async def _frame(self, frame: bytes, *, more: bool) -> None:
        body = frames.encode_text(frame) if self.content_type in _TEXT else frame
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


class GrpcWebApp:
    """The ASGI application: gRPC-Web in, calls on a channel out."""

    def __init__(
        self, channel: grpc.aio.Channel, origins: Collection[str], max_message_bytes: int
    ) -> None:
        """Forward to the channel; let web pages of these origins call."""
        self._channel = channel
        self._origins = frozenset(origins)
        self._max_message_bytes = max_message_bytes

    async def __call__(self, scope: http.Event, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = http.headers_of(scope)
        origin = headers.get("origin")
        cors = http.cors(origin)
        content_type = headers.get("content-type", "")
        if origin is not None and not self._origins & {origin, "*"}:
            await http.answer(send, 403, "this origin may not call; --web-origins allows it")
        elif scope["method"] == "OPTIONS":
            await http.answer(
                send, 204, "", cors + http.preflight(headers, b"POST", _ALLOWED_HEADERS)
            )
        elif scope["method"] != "POST":
            await http.answer(
                send, 405, "a gRPC-Web call is a POST", [(b"allow", b"OPTIONS, POST")]
            )
        elif content_type not in _BINARY | _TEXT:
            await http.answer(
                send, 415, "the content type must be application/grpc-web+proto", cors
            )
        else:
            await self._serve(scope["path"], headers, receive, WebReply(send, content_type, cors))

    async def _serve(
        self, path: str, headers: dict[str, str], receive: Receive, reply: WebReply
    ) -> None:
        try:
            body = await self._body(receive, text=reply.content_type in _TEXT)
            call = self._call(path, headers, body)
        except DisconnectedError:
            return
        except TimeoutError:
            await http.answer(
                reply.send, 408, f"the request took more than {http.BODY_S:g} s to arrive"
            )
            return
        except RefusedError as refused:
            await reply.start()
            await reply.end(refused.code, str(refused))
            return
        await reply.start()
        await _forward(call, receive, reply)

    async def _body(self, receive: Receive, *, text: bool) -> bytes:
        limit = self._max_message_bytes + frames.HEADER_BYTES
        wire_limit = len(frames.encode_text(bytes(3))) * (limit // 3 + 1) if text else limit
        body = await http.read_body(receive, wire_limit)
        if body is None:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the request is larger than this runtime's limit of {self._max_message_bytes} "
                "bytes; shorten it or raise --max-message-bytes",
            )
        try:
            return frames.only_message(frames.decode_text(body) if text else body)
        except frames.BrokenFrameError as error:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None

    def _call(self, path: str, headers: dict[str, str], message: bytes) -> Call:
        if path in _CLIENT_STREAMING:
            raise RefusedError(
                grpc.StatusCode.UNIMPLEMENTED,
                "gRPC-Web can't stream both ways: use OpenSession, Say, InterruptSession, "
                "NotifySession, RecordLines, UpdateSession and CloseSession, or the gRPC port",
            )
        try:
            timeout = (
                frames.timeout_s(headers["grpc-timeout"]) if "grpc-timeout" in headers else None
            )
        except frames.BrokenFrameError as error:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        said = ((name, headers.get(name, "")) for name in _FORWARDED)
        metadata = [(name, value) for name, value in said if value and _can_travel(value)]
        # A unary answer is, on the wire, a stream of one message: one kind of call serves both.
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
        method = self._channel.unary_stream(path, None, None)
        return method(message, timeout=timeout, metadata=grpc.aio.Metadata(*metadata))


def _can_travel(value: str) -> bool:
    return value.isascii() and value.isprintable()


async def _forward(call: Call, receive: Receive, reply: WebReply) -> None:
    """Send what the call answers. A client that goes away cancels it."""
    watch = asyncio.create_task(http.until_disconnected(receive))
    watch.add_done_callback(lambda _: call.cancel())
    code: grpc.StatusCode
    details: str | None
    try:
        async for message in call:
            await reply.message(message)
        code, details = await call.code(), await call.details()
    except grpc.aio.AioRpcError as error:
        code, details = error.code(), error.details()
    except asyncio.CancelledError:
        if watch.done():
            return  # the client went away: nobody is there to answer
        raise
    finally:
        call.cancel()
        watch.cancel()
    await reply.end(code, details or "")
