"""The ports of a runtime: what listens where, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from townsfolk import __version__
from townsfolk.engine import EngineFailedError
from townsfolk.service.address import Address, inner_place
from townsfolk.service.auth import TokenInterceptor
from townsfolk.service.calls import SERVICE, CallInterceptor
from townsfolk.service.gate import Backend, Gate
from townsfolk.service.listener import Listener
from townsfolk.service.servicer import TownsfolkServicer
from townsfolk.service.settings import ServiceSettings, check_token, dial_address
from townsfolk.service.start_error import StartError
from townsfolk.v1 import townsfolk_pb2_grpc

if TYPE_CHECKING:
    from townsfolk.service.metrics import MetricsServer
    from townsfolk.service.web_server import WebServer

logger = logging.getLogger(__name__)

HEALTH_NAMES = ("", SERVICE.full_name)
MAX_PENDING_CALLS = 10_000
# How long a client may take for the beginning of HTTP/2, and for TLS before that, in seconds.
HANDSHAKE_S = 10.0
# How long calls get to send their last words after their answers ended or were cut off.
LAST_WORDS_S = 0.5


class RuntimeServer:
    """gRPC, and where settings ask for them gRPC-Web and Prometheus, over one backend."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Prepare; nothing listens yet.

        Raises:
            StartError: The token's file, or the folder to record play in, can't be used.
        """
        self.settings = settings
        self.token = _token(settings)
        _check_play_folder(settings)
        self.port = 0
        self.failed = asyncio.Event()
        """Set when the runtime can't go on serving, of `failure`: the process should end."""
        self.failure = ""
        self._gate = Gate()
        self._servicer = TownsfolkServicer(self._gate, settings)
        self._health = health.aio.HealthServicer()
        self._listener: Listener | None = None
        self._web: WebServer | None = None
        self._metrics: MetricsServer | None = None

    @property
    def web_port(self) -> int | None:
        """The port of gRPC-Web and OpenAI's interface; None when there is none."""
        return self._web.port if self._web else None

    @property
    def metrics_port(self) -> int | None:
        """The Prometheus port; None when there is none."""
        return self._metrics.port if self._metrics else None

    def ports(self) -> dict[str, int | None]:
        """Return all ports by name; None for those that there are not."""
        return {
            "port": self.port,
            "web_port": self.web_port,
            "metrics_port": self.metrics_port,
        }

    def ready(self) -> dict[str, object]:
        """Return what a ready file says, but for the process."""
        return {
            "address": dial_address(self.settings.host),
            **self.ports(),
            "token": self.token,
            "version": __version__,
        }

    async def start(self) -> None:
        """Listen. Until `open`, health says NOT_SERVING and other calls end with UNAVAILABLE.

        Raises:
            StartError: A port is taken, a package is missing, or a file can't be read.
        """
        settings = self.settings
        if settings.metrics_port is not None:
            self._metrics = self._make_metrics(settings.metrics_port)
        interceptors: list[grpc.aio.ServerInterceptor] = []
        if self.token:
            interceptors.append(TokenInterceptor(self.token))
        interceptors.append(CallInterceptor(self._gate.errors, self._metrics))
        for name in HEALTH_NAMES:
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        if settings.web_port is not None:
            self._web = self._make_web()
        listener = Listener(
            Address(settings.host, settings.port, credentials=_credentials(settings)),
            inner_place() if self._web else None,
            interceptors,
            _options(settings),
            self._register,
            self.fail,
        )
        await listener.start()
        self._listener = listener
        self.port = listener.address.port
        if self._web is not None:
            await self._web.start(str(listener.inner))

    async def open(self, backend: Backend) -> None:
        """Let calls through to the backend; fail with its engine."""

        def engine_failed(failed: asyncio.Future[EngineFailedError]) -> None:
            if not failed.cancelled():
                self.fail(failed.result().reason)

        asyncio.wrap_future(backend.engine.failed).add_done_callback(engine_failed)
        self._gate.open(backend)
        for name in HEALTH_NAMES:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def fail(self, reason: str) -> None:
        """Take no more calls, as something broke that can't be mended here."""
        if not self.failed.is_set():
            logger.critical("the runtime can't go on: %s", reason)
            self.failure = reason
            self._gate.close(f"the runtime failed and ends ({reason})")
            self.failed.set()

    async def stop(self, hurried: asyncio.Event | None = None) -> None:
        """Stop: refuse new turns, let answers under way finish for a while, then cut them off.

        Args:
            hurried: Cuts the answers off at once when it is set.
        """
        self._gate.close("the runtime is shutting down")
        await self._health.enter_graceful_shutdown()
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._gate.idle())]
        if hurried is not None:
            waits.append(asyncio.create_task(hurried.wait()))
        await asyncio.wait(
            waits, timeout=self.settings.shutdown_grace_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        self._servicer.interrupt_all()
        if self._web is not None:
            self._web.interrupt_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._gate.idle()
        if self._listener is not None:
            await self._listener.stop(LAST_WORDS_S)
        if self._web is not None:
            await self._web.stop()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.stop)

    def _register(self, server: grpc.aio.Server) -> None:
        townsfolk_pb2_grpc.add_TownsfolkServiceServicer_to_server(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )

    def _make_metrics(self, port: int) -> MetricsServer:
        try:
            from townsfolk.service.metrics import MetricsServer
        except ModuleNotFoundError as error:
            raise StartError(_missing(error, "metrics_port", "metrics")) from None
        try:
            return MetricsServer(self.settings.metrics_host, port, self._servicer.stats)
        except OSError as error:
            raise StartError(_taken("metrics_port", self.settings.metrics_host, port)) from error

    def _make_web(self) -> WebServer:
        from townsfolk.service.web_server import WebServer

        return WebServer(self.settings, self._gate, self.token)


def _token(settings: ServiceSettings) -> str:
    if settings.auth_token is not None:
        return settings.auth_token.get_secret_value()
    if settings.auth_token_file is not None:
        return _token_in(settings.auth_token_file)
    return secrets.token_urlsafe(32) if settings.has_token else ""


def _check_play_folder(settings: ServiceSettings) -> None:
    folder = settings.play_folder
    try:
        if folder is not None:
            folder.prepare()
    except OSError as error:
        raise StartError(f"record_play {settings.record_play} can't be used: {error}") from None


def _token_in(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
        check_token(token)
    except (OSError, ValueError) as error:
        # An error of decoding would show what it could not decode.
        why = error.strerror if isinstance(error, OSError) else "it is no token: printable ASCII"
        raise StartError(f"auth_token_file {path} can't be used: {why}") from None
    if not token:
        raise StartError(f"auth_token_file {path} is empty")
    return token


def _options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Without this a second runtime would share the port, and with it the first one's calls.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", round(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(settings.keepalive_timeout_s * 1000)),
        # What really counts for the ping, by default for a minute.
        ("grpc.http2.ping_timeout_ms", round(settings.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        # Probing lets windows grow: a client that never reads got 9 MB in flight, without 3 MB.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.server_handshake_timeout_ms", round(HANDSHAKE_S * 1000)),
        # Calls that wait until the event loop takes them. By default gRPC begins to drop some at
        # 1,000, which their callers see as CANCELLED.
        ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_CALLS),
        # Clients may ping as often as they like.
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    try:
        # gRPC itself only says that the port could not be bound.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_certificate, settings.tls_key
        )
        key, chain = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"tls_certificate and tls_key can't be used: {error}") from error
    return grpc.ssl_server_credentials([(key, chain)])


def _taken(field: str, host: str, port: int) -> str:
    return (
        f"can't listen on {host}, port {port}: another program may have it, perhaps another "
        f"runtime; choose another {field}, or 0 for a free one"
    )


def _missing(error: ModuleNotFoundError, field: str, extra: str) -> str:
    return f"{field} needs the package {error.name}: pip install 'townsfolk[{extra}]'"
