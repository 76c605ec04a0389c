"""The HTTP/1.1 server of the web port: uvicorn, with limits for who says nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from townsfolk.service.address import Address
from townsfolk.service.gate import Gate
from townsfolk.service.http import Event, Receive, Send
from townsfolk.service.openai.app import PREFIX, OpenAiApp
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.web import GrpcWebApp

BACKLOG = 128
# How long a client may take to say what it wants, and for TLS before that, in seconds.
HEADERS_S = 10.0
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n"
    b"too many connections; close some, or raise --web-max-connections\n"
)


class _Connection(H11Protocol):
    """A connection that is closed when its next request begins and does not get on."""

    def __init__(self, config: uvicorn.Config, state: ServerState, most: int) -> None:
        super().__init__(config, state, {})
        self._most = most
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.write(_REFUSAL)
            transport.close()
        else:
            self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_expecting()
        elif self._patience is None:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._patience = self.loop.call_later(HEADERS_S, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Uvicorn(uvicorn.Server):
    """A uvicorn that leaves signals to lifetime.py and listens with care."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, most: int) -> None:
        super().__init__(config)
        self._listening = listening
        self._most = most

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Listen."""
        config = self.config
        # The loop accepts a backlog of connections at a time; without descriptors it would fail,
        # and log, as often.
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(config, self.server_state, self._most),
            sock=self._listening,
            ssl=config.ssl,
            ssl_handshake_timeout=HEADERS_S if config.ssl else None,
            backlog=1,
        )
        self._listening.listen(BACKLOG)
        self.servers = [server]
        self.started = True


class WebServer:
    """uvicorn, in this process's event loop, on one port."""

    def __init__(self, settings: ServiceSettings, gate: Gate, token: str) -> None:
        """Bind the port.

        Raises:
            StartError: The port is taken or the address is not of this machine.
        """
        assert settings.web_port is not None
        self._settings = settings
        self._openai = OpenAiApp(gate, token, settings.web_origins, settings.max_message_bytes)
        address = Address(settings.host, settings.web_port, "web_port")
        self._socket = address.bound_socket()
        self._socket.listen(BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None
        self._channel: grpc.aio.Channel | None = None

    async def start(self, target: str) -> None:
        """Serve, forwarding to this process's gRPC server."""
        self._channel = grpc.aio.insecure_channel(
            target,
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.http2.bdp_probe", 0),  # see server.py
            ],
        )
        settings = self._settings
        grpc_web = GrpcWebApp(self._channel, settings.web_origins, settings.max_message_bytes)

        async def app(scope: Event, receive: Receive, send: Send) -> None:
            of_openai = scope["path"].startswith(PREFIX)
            await (self._openai if of_openai else grpc_web)(scope, receive, send)

        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        self._server = _Uvicorn(config, self._socket, _most_connections(settings))
        self._task = asyncio.create_task(self._server.serve())

    def interrupt_all(self) -> None:
        """Cut off the answers that are no calls on the channel."""
        self._openai.interrupt_all()

    async def stop(self) -> None:
        """End; to be called after the gRPC server, so that calls under way get its last word."""
        if self._server is None or self._task is None or self._channel is None:
            self._socket.close()
            return
        self._server.should_exit = True
        await self._task
        await self._channel.close()


def _most_connections(settings: ServiceSettings) -> int:
    """Return how many connections may be open: half of the descriptors that are left, at most."""
    most = settings.web_max_connections
    if sys.platform == "win32":
        return most
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    descriptors = Path("/dev/fd")
    if limit == resource.RLIM_INFINITY or not descriptors.exists():
        return most
    return min(most, max((limit - len(list(descriptors.iterdir()))) // 2, 1))
