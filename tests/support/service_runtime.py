"""Real runtimes in the test's process: the real engine behind real ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2, sampling_pb2
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub


@dataclass(slots=True)
class Runtime:
    """A runtime that serves, and a channel to it."""

    server: RuntimeServer
    backend: Backend
    channel: grpc.aio.Channel
    stub: TownsfolkServiceStub

    async def settled(self, timeout_s: float = 300.0) -> pb.WatchStatsResponse:
        """Wait until no request is alive, over WatchStats; check that every block is back."""
        call = self.stub.WatchStats(pb.WatchStatsRequest(interval_ms=50))
        async with asyncio.timeout(timeout_s):
            async for stats in call:
                if stats.running == stats.waiting == stats.kv_blocks_used == 0:
                    break
        call.cancel()
        await self.backend.engine.check()
        return stats

    async def open(self, **config) -> str:
        """Open a session; return its id."""
        config.setdefault("persona", dialogue_pb2.Persona(name="Mira"))
        request = pb.OpenSession(config=dialogue_pb2.SessionConfig(**config))
        return (await self.stub.OpenSession(pb.OpenSessionRequest(open=request))).opened.session_id

    async def speaking(self, count: int = 1) -> None:
        """Wait until so many answers are under way."""
        async with asyncio.timeout(300):
            while self.backend.engine.stats().running < count:
                await asyncio.sleep(0.005)


class Stream:
    """A Converse stream, read event by event."""

    def __init__(self, runtime: Runtime) -> None:
        self.call = runtime.stub.Converse()

    async def send(self, **request) -> None:
        await self.call.write(pb.ConverseRequest(**request))

    async def open(self, **config) -> dialogue_pb2.SessionOpened:
        config.setdefault("persona", dialogue_pb2.Persona(name="Mira"))
        resume = config.pop("resume", False)
        session = dialogue_pb2.SessionConfig(**config)
        await self.send(open=pb.OpenSession(config=session, resume=resume))
        return (await self.next("opened")).opened

    async def next(self, *kinds: str) -> dialogue_pb2.SessionEvent:
        """The next event of one of these kinds; others are passed over."""
        while True:
            response = await self.call.read()
            assert response is not grpc.aio.EOF, await self.call.details()
            if not kinds or response.event.WhichOneof("event") in kinds:
                return response.event

    async def rest(self) -> list[dialogue_pb2.SessionEvent]:
        """What is left; the call's code and details say how it ended."""
        events = []
        with suppress(grpc.aio.AioRpcError):
            while (response := await self.call.read()) is not grpc.aio.EOF:
                events.append(response.event)
        return events


def exactly(tokens: int, **more) -> sampling_pb2.SamplingParams:
    """Sampling for an answer of exactly so many tokens."""
    return sampling_pb2.SamplingParams(max_new_tokens=tokens, min_new_tokens=tokens, **more)


@asynccontextmanager
async def serving(
    model: Path | str, settings: ServiceSettings | None = None, **engine
) -> AsyncIterator[Runtime]:
    settings = settings or ServiceSettings(port=0)
    server = RuntimeServer(settings)
    await server.start()
    engine_settings = EngineSettings(model=str(model), **({"kv_memory_mib": 32} | engine))
    backend = Backend.make(Engine.from_pretrained(settings=engine_settings), settings)
    await server.open(backend)
    address = f"127.0.0.1:{server.port}"
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Runtime(server, backend, channel, TownsfolkServiceStub(channel))
    finally:
        await server.stop()
        await backend.aclose()


async def status(call) -> tuple[grpc.StatusCode, str]:
    """Read a streaming call to its end; return how it ended."""
    with suppress(grpc.aio.AioRpcError):
        async for _ in call:
            pass
    return await call.code(), await call.details()
