"""The channel to a runtime, and the runtime itself where it was launched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from townsfolk import contract
from townsfolk.client.errors import (
    FailedPreconditionError,
    RuntimeUnavailableError,
    TownsfolkError,
    VersionMismatchError,
    from_status,
    typed_errors,
)
from townsfolk.client.process import Endpoint, RuntimeProcess
from townsfolk.client.version import check_version
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

# As the service's own defaults: seconds of silence before a ping, and for its answer.
KEEPALIVE_S = 20.0
KEEPALIVE_TIMEOUT_S = 10.0
# A session's transcript can be longer than gRPC's limit of 4 MiB.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

NOT_CONNECTED = "not connected: use the runtime inside its `with` or `async with`"

Response = TypeVar("Response", bound=Message)

CONNECT_TIMEOUT_S = 10.0
# What a short call may take; to register long lore takes the longest of them.
CALL_TIMEOUT_S = 60.0
# What it may take to load a model.
LOAD_TIMEOUT_S = 600.0


class Connection:
    """A channel that is made anew when a launched runtime is started anew.

    Attributes:
        process: the runtime, where it was launched.
        stub: the calls; those of no channel fail with what is missing.
        metadata: what goes with each call.
    """

    def __init__(
        self,
        endpoint: Endpoint | None,
        process: RuntimeProcess | None,
        root_certificate: bytes | None,
    ) -> None:
        """Take where a runtime is, or what starts one."""
        self.process = process
        self.stub = TownsfolkServiceStub(_NoChannel())
        self.metadata: tuple[tuple[str, str], ...] = ()
        self._endpoint = endpoint
        self._root_certificate = root_certificate
        self._channel: grpc.aio.Channel | None = None
        self._starting: asyncio.Task[Endpoint] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed yet; a runtime need not be there."""
        return self._channel is not None

    async def open(self) -> None:
        """Start the runtime if it is to be launched, and connect.

        Raises:
            RuntimeUnavailableError: None answers.
            VersionMismatchError: It speaks another contract.
        """
        if self.process is not None:
            self._endpoint = await self._start(self.process)
        assert self._endpoint is not None
        self._connect(self._endpoint)
        assert self._channel is not None
        try:
            await asyncio.wait_for(self._channel.channel_ready(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            await self.close()
            raise RuntimeUnavailableError(
                f"no runtime answers at {self._endpoint.address}; start one with `townsfolk serve`"
            ) from None
        try:
            await self._check_version()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End it, and a launched runtime."""
        channel, self._channel = self._channel, None
        self.stub = TownsfolkServiceStub(_NoChannel())
        if channel is not None:
            await channel.close()
        if self.process is not None:
            await asyncio.to_thread(self.process.stop)
            if self._starting is not None:  # it was broken off, and may have started one since
                await asyncio.wait([self._starting])
                await asyncio.to_thread(self.process.stop)

    async def renew(self) -> bool:
        """Start a launched runtime anew if it died; return whether that was so.

        Raises:
            RuntimeUnavailableError: It can't be started, or this was closed.
        """
        if not self.is_open:
            raise RuntimeUnavailableError(NOT_CONNECTED)
        if self.process is None or self.process.running:
            return False
        endpoint = await self._start(self.process)
        if self._channel is not None:
            await self._channel.close()
            self._connect(endpoint)
        await self._check_version()
        return True

    async def call(
        self,
        method: Callable[..., Awaitable[Response]],
        request: Message,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Response:
        """Make a call with one answer.

        Raises:
            TownsfolkError: It failed.
        """
        with typed_errors():
            return await method(request, metadata=self.metadata, timeout=timeout_s)

    async def stream(
        self,
        method: Callable[..., grpc.aio.UnaryStreamCall[Any, Response]],
        request: Message,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Response]:
        """Make a call with a stream of answers, and give them.

        Raises:
            TownsfolkError: It failed.
        """
        with typed_errors():
            call = method(request, metadata=self.metadata, timeout=timeout_s)
        try:
            while True:
                with typed_errors():
                    response: Any = await call.read()
                    if response is grpc.aio.EOF:
                        break
                yield response
        finally:
            call.cancel()
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            raise from_status(code, await call.details() or "")

    def _connect(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        options = [
            # A runtime that restarts is found again within a second, not after gRPC's two minutes.
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            # A machine that went away without a word is noticed; else streams would wait for ever.
            ("grpc.keepalive_time_ms", round(KEEPALIVE_S * 1000)),
            ("grpc.keepalive_timeout_ms", round(KEEPALIVE_TIMEOUT_S * 1000)),
            ("grpc.http2.ping_timeout_ms", round(KEEPALIVE_TIMEOUT_S * 1000)),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ]
        if self._root_certificate is not None:
            credentials = grpc.ssl_channel_credentials(self._root_certificate)
            self._channel = grpc.aio.secure_channel(endpoint.address, credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(endpoint.address, options)
        self.stub = TownsfolkServiceStub(self._channel)
        self.metadata = ((contract.HEADER, str(contract.OWN)),)
        if endpoint.token:
            self.metadata += (("authorization", f"Bearer {endpoint.token}"),)

    async def _check_version(self) -> None:
        try:
            request = pb.GetRuntimeInfoRequest()
            check_version(await self.call(self.stub.GetRuntimeInfo, request, CONNECT_TIMEOUT_S))
        except FailedPreconditionError as error:
            raise VersionMismatchError(str(error)) from None
        except TownsfolkError:
            pass  # the token, or a model that still loads: whoever calls next learns of it

    async def _start(self, process: RuntimeProcess) -> Endpoint:
        # Whoever waits may leave; the start goes on, and `close` ends what comes of it.
        self._starting = asyncio.create_task(asyncio.to_thread(process.start))
        return await asyncio.shield(self._starting)


class _NoChannel:
    """Stands for the channel until one is made: using it says what is missing."""

    def __getattr__(self, name: str) -> object:
        def make(*_: object, **__: object) -> object:
            def call(*_: object, **__: object) -> object:
                raise RuntimeUnavailableError(NOT_CONNECTED)

            return call

        return make
