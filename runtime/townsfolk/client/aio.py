"""The asyncio client: a connection to a runtime, launched or already running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from townsfolk.client.errors import RuntimeUnavailableError, from_rpc
from townsfolk.client.npc import AsyncNpc
from townsfolk.client.process import Endpoint, RuntimeProcess
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.dialogue_pb2 import Lore, Persona, SessionConfig, TranscriptEntry
from townsfolk.v1.sampling_pb2 import SamplingParams
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

# As the service's own defaults: seconds of silence before a ping, and for its answer.
KEEPALIVE_S = 20.0
KEEPALIVE_TIMEOUT_S = 10.0
# A session's transcript can be longer than gRPC's limit of 4 MiB.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

Response = TypeVar("Response", bound=Message)

CONNECT_TIMEOUT_S = 10.0


class AsyncRuntime:
    """A connection to a runtime. Use it as an async context manager.

    Every call raises a `TownsfolkError` of the fitting kind when it fails.
    """

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        process: RuntimeProcess | None = None,
        root_certificate: bytes | None = None,
    ) -> None:
        """Prefer `connect` or `launch`; the connection is made on entering the context."""
        self.process = process
        self._endpoint = endpoint
        self._root_certificate = root_certificate
        self._channel: grpc.aio.Channel | None = None
        self._lore: dict[str, Lore] = {}
        self._reconnecting = asyncio.Lock()
        self.stub = TownsfolkServiceStub(_NoChannel())
        self.metadata: tuple[tuple[str, str], ...] = ()

    @classmethod
    def connect(
        cls, address: str, token: str = "", *, root_certificate: bytes | None = None
    ) -> AsyncRuntime:
        """Use a runtime that is already running.

        Args:
            address: `host:port`.
            token: What `townsfolk serve --auth-token` was given; empty when it asks for none.
            root_certificate: PEM of the certificate to trust; turns TLS on.
        """
        return cls(Endpoint(address, token), root_certificate=root_certificate)

    @classmethod
    def launch(cls, *arguments: str, command: Sequence[str] = ()) -> AsyncRuntime:
        """Start a runtime as a child process that ends with this one.

        Args:
            arguments: Arguments for `townsfolk serve`, such as `"--model", "path/to/model"`.
            command: The program to run instead of `python -m townsfolk`.
        """
        return cls(process=RuntimeProcess(arguments, command=command))

    async def __aenter__(self) -> AsyncRuntime:
        if self.process is not None:
            self._endpoint = await asyncio.to_thread(self.process.start)
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
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection and end a launched runtime."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
        if self.process is not None:
            await asyncio.to_thread(self.process.stop)

    def npc(
        self,
        persona: Persona,
        *,
        lore: Iterable[str] = (),
        sampling: SamplingParams | None = None,
        priority: int = 0,
        session_id: str = "",
        history: Iterable[TranscriptEntry] = (),
    ) -> AsyncNpc:
        """Return a character to talk to; its session opens with the first use.

        Args:
            persona: Who the character is.
            lore: Ids given to `register_lore`: what the character knows of the world.
            sampling: Sampling defaults for every turn.
            priority: Larger goes first when the runtime is short of time. -100 to 100.
            session_id: A name for the session; empty lets the runtime choose.
            history: The transcript of a saved game.
        """
        config = SessionConfig(
            session_id=session_id,
            persona=persona,
            lore_ids=lore,
            sampling=sampling,
            priority=priority,
            history=history,
        )
        return AsyncNpc(self, config)

    async def register_lore(self, lore_id: str, text: str) -> int:
        """Register world knowledge that characters can share; return its length in tokens."""
        lore = Lore(lore_id=lore_id, text=text)
        request = pb.RegisterLoreRequest(lore=lore)
        response: pb.RegisterLoreResponse = await self._call(self.stub.RegisterLore, request)
        self._lore[lore_id] = lore
        return response.tokens

    async def generate(
        self,
        prompt: str | Sequence[int],
        sampling: SamplingParams | None = None,
        *,
        echo: bool = False,
        priority: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[pb.GenerateResponse]:
        """Complete a prompt, as text or token ids, with no character involved; yield the pieces."""
        request = pb.GenerateRequest(sampling=sampling, echo=echo, priority=priority)
        if isinstance(prompt, str):
            request.text = prompt
        else:
            request.token_ids.ids.extend(prompt)
        call = self.stub.Generate(request, metadata=self.metadata, timeout=timeout_s)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def info(self) -> pb.GetRuntimeInfoResponse:
        """Return what runs there: model, device, limits."""
        response: pb.GetRuntimeInfoResponse = await self._call(
            self.stub.GetRuntimeInfo, pb.GetRuntimeInfoRequest()
        )
        return response

    async def watch_stats(self, interval_s: float = 1.0) -> AsyncIterator[pb.WatchStatsResponse]:
        """Yield the engine's counters, again and again."""
        request = pb.WatchStatsRequest(interval_ms=round(interval_s * 1000))
        call = self.stub.WatchStats(request, metadata=self.metadata)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def sessions(self) -> list[pb.SessionSummary]:
        """Return the runtime's open sessions."""
        response: pb.ListSessionsResponse = await self._call(
            self.stub.ListSessions, pb.ListSessionsRequest()
        )
        return list(response.sessions)

    async def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session's configuration and transcript: what a saved game keeps."""
        response: pb.GetSessionResponse = await self._call(
            self.stub.GetSession, pb.GetSessionRequest(session_id=session_id)
        )
        return response

    async def close_session(self, session_id: str) -> None:
        """End a session, whoever opened it."""
        await self._call(self.stub.CloseSession, pb.CloseSessionRequest(session_id=session_id))

    async def reconnect(self) -> None:
        """Make sure a runtime is there: restart a launched one that died."""
        async with self._reconnecting:
            if self.process is None or self.process.running:
                return
            if self._channel is not None:
                await self._channel.close()
            self._connect(await asyncio.to_thread(self.process.start))
            await self.restore_lore()

    async def restore_lore(self) -> None:
        """Register all lore again, in a runtime that has forgotten it."""
        for lore in self._lore.values():
            await self._call(self.stub.RegisterLore, pb.RegisterLoreRequest(lore=lore))

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
        self.metadata = (("authorization", f"Bearer {endpoint.token}"),) if endpoint.token else ()

    async def _call(self, method: Callable[..., Awaitable[Response]], request: Message) -> Response:
        try:
            return await method(request, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error


class _NoChannel:
    """Stands for the channel until one is made: using it says what is missing."""

    def __getattr__(self, name: str) -> object:
        def make(*_: object, **__: object) -> object:
            def call(*_: object, **__: object) -> object:
                raise RuntimeUnavailableError("not connected: use `async with` on the runtime")

            return call

        return make
