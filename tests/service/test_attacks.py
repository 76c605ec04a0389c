"""What anybody can send to a port, token or not: it ends its own call and nothing else."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import grpc_web
import http2_frames
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from http2_frames import END_HEADERS, END_STREAM, HEADERS, Fuzzer, call_headers, frame
from serve_process import serve
from service_runtime import Runtime, Stream, exactly, serving
from townsfolk.service import listener as listeners
from townsfolk.service.address import Address
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

# More for a long run by hand: TOWNSFOLK_FUZZ_FRAMES=1000000.
FUZZ_FRAMES = int(os.environ.get("TOWNSFOLK_FUZZ_FRAMES", "100000"))
FRAMES_A_CONNECTION = 25
ATTACKERS = 12

NAMES = [
    b"/\x96",
    b"/townsfolk.v1.TownsfolkService/\xff",
    b"/townsfolk.v1.TownsfolkService/Say\x00",
    b"\xc3",
    b"",
    b"*",
    b"/" + b"\xf0\x9f" * 2000,
]


async def talk(runtime: Runtime, stream: Stream) -> None:
    await stream.send(say=dialogue.Utterance(text="Still there?"))
    assert (await stream.next("turn_finished")).turn_finished.text
    # And somebody new is let in.
    await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_is_no_method_ends_its_own_call_only(runtime, name):
    stream = Stream(runtime)
    await stream.open(sampling=exactly(3))
    reader, writer = await asyncio.open_connection("127.0.0.1", runtime.server.port)
    call = frame(HEADERS, END_HEADERS | END_STREAM, 1, call_headers(name))
    writer.write(http2_frames.opening() + call)
    writer.write_eof()
    async with asyncio.timeout(300):
        answer = await reader.read()
    writer.close()
    if len(name) < 100:  # a longer one the core refuses, with the whole connection
        assert b"grpc-status" in answer
    async with grpc.aio.insecure_channel(f"127.0.0.1:{runtime.server.port}") as channel:
        info = TownsfolkServiceStub(channel).GetRuntimeInfo(pb.GetRuntimeInfoRequest())
        assert await info.code() is StatusCode.OK
    await talk(runtime, stream)


async def test_a_method_that_does_not_exist_says_so(runtime):
    for name in ("/townsfolk.v1.TownsfolkService/Sing", "/nobody.Service/Get", "/x"):
        call = runtime.channel.unary_unary(name)(b"")
        assert await call.code() is StatusCode.UNIMPLEMENTED
        assert "no such call" in await call.details()


@pytest.fixture
def dying(monkeypatch) -> Iterator[asyncio.Event]:
    """Has grpcio's main loop die at the next call of an unknown method, once."""
    armed = asyncio.Event()
    original = listeners._Core._make_request_call_future

    def make(self, method):
        if armed.is_set() and method == listeners._UNKNOWN:
            armed.clear()
            raise RuntimeError("broken on purpose")
        return original(self, method)

    monkeypatch.setattr(listeners._Core, "_make_request_call_future", make)
    return armed


@asynccontextmanager
async def killed_listener(model, armed, settings=None) -> AsyncIterator[tuple[Runtime, Stream]]:
    """A runtime whose main loop has just died, with a stream that was open before."""
    async with serving(model, settings) as runtime:
        stream = Stream(runtime)
        await stream.open(session_id="inn", sampling=exactly(20))
        armed.set()
        await runtime.channel.unary_unary("/x")(b"").code()
        yield runtime, stream


async def wait_for_listener(port: int) -> None:
    async with asyncio.timeout(300):
        while True:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                info = TownsfolkServiceStub(channel).GetRuntimeInfo(pb.GetRuntimeInfoRequest())
                if await info.code() is StatusCode.OK:
                    return


async def test_a_dead_main_loop_is_replaced_and_no_session_is_lost(model, dying):
    settings = ServiceSettings(port=0, web_port=0)
    async with killed_listener(model, dying, settings) as (runtime, stream):
        port = runtime.server.port
        await wait_for_listener(port)
        await talk(runtime, stream)  # over the old connection
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = TownsfolkServiceStub(channel)
            other = Stream(Runtime(runtime.server, runtime.backend, channel, stub))
            assert (await other.open(session_id="inn", resume=True)).resumed
            await talk(runtime, other)
            health = health_pb2_grpc.HealthStub(channel)
            check = await health.Check(health_pb2.HealthCheckRequest())
            assert check.status == health_pb2.HealthCheckResponse.SERVING
        dying.set()  # and once more
        await runtime.channel.unary_unary("/x")(b"").code()
        await wait_for_listener(port)
        assert not runtime.server.failed.is_set()


async def test_a_place_that_is_free_late_is_waited_for_and_the_port_is_not_lost(
    model, dying, monkeypatch
):
    """The dead server's other place is still taken when its port is free already."""
    refusals = 3

    class Late(Address):
        def bind(self, server):
            nonlocal refusals
            if dying.fired and refusals:
                refusals -= 1
                raise StartError("not yet")
            return Late(self.host, super().bind(server).port)

    dying.fired = False
    monkeypatch.setattr("townsfolk.service.server.inner_place", lambda: Late("127.0.0.1", 0))
    settings = ServiceSettings(port=0, web_port=0)
    async with serving(model, settings) as runtime:
        dying.fired = True
        dying.set()
        await runtime.channel.unary_unary("/x")(b"").code()
        await wait_for_listener(runtime.server.port)
        it, _ = await grpc_web.call(runtime.server.web_port, "GetRuntimeInfo", grpc_web.frame(b""))
        assert it.code == 0
        assert refusals == 0
        assert not runtime.server.failed.is_set()


async def test_a_runtime_that_can_not_listen_again_says_so(model, dying, monkeypatch):
    monkeypatch.setattr(listeners, "REBIND_S", 0.5)

    async def never(_: object) -> None:
        raise StartError("another program has it")

    async with serving(model) as runtime:
        monkeypatch.setattr(listeners.Listener, "_make", never)
        dying.set()
        await runtime.channel.unary_unary("/x")(b"").code()
        async with asyncio.timeout(300):
            await runtime.server.failed.wait()
        assert "another program has it" in runtime.server.failure
        refused = runtime.stub.OpenSession(pb.OpenSessionRequest())
        assert await refused.code() is StatusCode.UNAVAILABLE


async def attack(port: int, payloads: Iterator[bytes]) -> None:
    """Send one payload a connection, hang up, and wait until the runtime has, too."""
    for payload in payloads:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(payload)
            writer.write_eof()
            await reader.read()
        except OSError:
            pass  # it hung up first
        finally:
            writer.close()


def frame_attacks() -> Iterator[bytes]:
    for seed in range(-(-FUZZ_FRAMES // FRAMES_A_CONNECTION)):
        frames = Fuzzer(seed).connection(FRAMES_A_CONNECTION)
        yield http2_frames.opening() + b"".join(frames)


def web_attacks() -> Iterator[bytes]:
    for seed in range(FUZZ_FRAMES // 100):
        yield Fuzzer(seed).web_request()


def byte_attacks() -> Iterator[bytes]:
    for seed in range(FUZZ_FRAMES // 500):
        yield random.Random(seed).randbytes(seed % 5000)


async def converse_until(done: asyncio.Event, stub: TownsfolkServiceStub, token: str) -> int:
    """Speak with a character, on one stream; return how many answers came."""
    call = stub.Converse(metadata=(("authorization", f"Bearer {token}"),))
    config = dialogue.SessionConfig(
        session_id="inn", persona=dialogue.Persona(name="Mira"), sampling=exactly(8)
    )
    await call.write(pb.ConverseRequest(open=pb.OpenSession(config=config)))
    assert (await call.read()).event.HasField("opened")
    answers = 0
    while not done.is_set():
        await call.write(pb.ConverseRequest(say=dialogue.Utterance(text="Go on.")))
        while True:
            response = await call.read()
            assert response is not grpc.aio.EOF, await call.details()
            assert not response.event.HasField("error"), response
            if response.event.HasField("turn_finished"):
                break
        answers += 1
    return answers


@pytest.mark.timeout(1800)
async def test_mutated_frames_and_bytes_at_both_ports_beside_a_conversation(model, tmp_path):
    with serve(model, tmp_path, "--web-port", "0") as (child, ready):
        log = child.read_log()
        ports = ready["port"], ready["web_port"]
        done = asyncio.Event()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            stub = TownsfolkServiceStub(channel)
            conversation = asyncio.create_task(converse_until(done, stub, ready["token"]))
            streams = [(ports[0], frame_attacks()), (ports[1], web_attacks())]
            streams += [(port, byte_attacks()) for port in ports]
            # A generator is shared by all who attack with it.
            attackers = [
                asyncio.create_task(attack(port, payloads))
                for port, payloads in streams
                for _ in range(ATTACKERS)
            ]
            await asyncio.gather(*attackers)
            done.set()
            assert await conversation > 3
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            metadata = (("authorization", f"Bearer {ready['token']}"),)
            stub = TownsfolkServiceStub(channel)
            info = await stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=metadata)
            assert info.version == ready["version"]
        call, _ = await grpc_web.call(ports[1], "ListSessions", grpc_web.frame(b""))
        assert call.code == StatusCode.UNAUTHENTICATED.value[0]
        child.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.process.wait, 60) == 0
        assert len(log()) < 1_000_000
        assert ready["token"] not in log()
