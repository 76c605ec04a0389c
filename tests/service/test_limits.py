"""Limits hold, say what they are, and hurt nobody but who exceeds them."""

from __future__ import annotations

import asyncio

import grpc
import grpc_web
import pytest
from grpc import StatusCode
from service_runtime import Stream, exactly, serving, status
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb

SERVICE = "/townsfolk.v1.TownsfolkService/"
LIMIT = 4096


@pytest.fixture
async def small(model):
    settings = ServiceSettings(port=0, web_port=0, max_message_bytes=LIMIT, max_sessions=2)
    async with serving(model, settings, max_batch=2, max_waiting=1) as runtime:
        yield runtime


def say(text="Hi", **fields) -> pb.ConverseRequest:
    return pb.ConverseRequest(say=dialogue.Utterance(text=text, **fields))


async def test_limits_are_told(small):
    info = await small.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
    assert info.max_message_bytes == LIMIT
    assert info.max_sessions == 2
    assert info.max_batch == 2


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_message_up_to_the_limit_is_taken(small, extra):
    request = pb.GenerateRequest(text="", sampling=exactly(1))
    request.text = "x" * (LIMIT + extra - request.ByteSize() - 1)
    assert request.ByteSize() == LIMIT + extra
    code, details = await status(small.stub.Generate(request))
    if not extra:
        assert code is StatusCode.OK
    else:
        assert code is StatusCode.RESOURCE_EXHAUSTED
        assert str(LIMIT) in details


async def test_an_oversized_message_ends_its_own_stream_only(small):
    bystander, sender = Stream(small), Stream(small)
    await bystander.open(sampling=exactly(5))
    await sender.open()
    await sender.call.write(say("x" * LIMIT))
    assert await sender.call.code() is StatusCode.RESOURCE_EXHAUSTED
    assert str(LIMIT) in await sender.call.details()
    await bystander.send(say=say().say)
    await bystander.next("turn_finished")


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"], ids=["tags", "utf-8"])
async def test_bytes_that_are_no_message_are_refused(small, body):
    """Random bytes, and a text that is no UTF-8."""
    for method in ("GetSession", "RegisterLore", "OpenSession"):
        call = small.channel.unary_unary(SERVICE + method)(body)
        assert await call.code() is StatusCode.INVALID_ARGUMENT
        assert f"townsfolk.v1.{method}Request" in await call.details()


async def test_bytes_that_are_no_message_leave_a_stream_alive(small):
    call = small.channel.stream_stream(SERVICE + "Converse")()
    opened = pb.OpenSession(config=dialogue.SessionConfig(persona=dialogue.Persona(name="Mira")))
    await call.write(pb.ConverseRequest(open=opened).SerializeToString())
    await call.read()
    await call.write(b"\xff\xff\xff")
    error = pb.ConverseResponse.FromString(await call.read()).event.error
    assert error.code == dialogue.ERROR_CODE_INVALID_ARGUMENT
    assert "ConverseRequest" in error.message
    await call.write(pb.ConverseRequest(notify="Still here.").SerializeToString())
    assert pb.ConverseResponse.FromString(await call.read()).event.notified.text == "Still here."


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff" * 9,
    ],
    ids=["zeros", "http/1", "http/2"],
)
async def test_rubbish_on_the_wire_hurts_nobody(small, rubbish):
    bystander = Stream(small)
    await bystander.open(sampling=exactly(5))
    reader, writer = await asyncio.open_connection("127.0.0.1", small.server.port)
    writer.write(rubbish)
    async with asyncio.timeout(300):
        await reader.read()  # to the end: the server hangs up
    writer.close()
    await bystander.send(say=say().say)
    await bystander.next("turn_finished")


async def test_when_the_engine_is_gone_calls_say_so(small):
    stream = Stream(small)
    await stream.open()
    await small.backend.engine.aclose()
    code, message = await status(small.stub.Generate(pb.GenerateRequest(text="Hi")))
    assert code is StatusCode.UNAVAILABLE
    assert "closed" in message
    await stream.send(say=say(turn_id="t").say)
    error = (await stream.next("error")).error
    assert (error.turn_id, error.code) == ("t", dialogue.ERROR_CODE_FAILED_PRECONDITION)


async def test_an_unknown_method_is_unimplemented(small):
    call = small.channel.unary_unary(SERVICE + "Sing")(b"")
    assert await call.code() is StatusCode.UNIMPLEMENTED


async def test_no_more_sessions_than_allowed(small):
    await small.open(session_id="a")
    await small.open(session_id="b")
    with pytest.raises(grpc.aio.AioRpcError, match="2 sessions") as caught:
        await small.open()
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    await small.stub.CloseSession(pb.CloseSessionRequest(session_id="a"))
    await small.open()


async def test_a_full_queue_refuses_the_next_request_and_serves_the_others(small):
    request = pb.GenerateRequest(text="Hi", sampling=exactly(600))
    calls = [small.stub.Generate(request) for _ in range(4)]
    ends = sorted(await asyncio.gather(*map(status, calls)), key=lambda end: end[0].value)
    assert [code.name for code, _ in ends] == ["OK", "OK", "OK", "RESOURCE_EXHAUSTED"]
    assert "max_waiting" in ends[-1][1]


async def test_a_full_queue_is_an_error_of_the_turn_on_a_stream(small):
    stream = Stream(small)
    await stream.open(sampling=exactly(5))
    calls = [
        small.stub.Generate(pb.GenerateRequest(text="Hi", sampling=exactly(3000))) for _ in range(3)
    ]
    async with asyncio.timeout(300):
        stats = small.backend.engine.stats()
        while (stats.running, stats.waiting) != (2, 1):
            await asyncio.sleep(0.01)
            stats = small.backend.engine.stats()
    await stream.send(say=dialogue.Utterance(text="Hi", turn_id="t"))
    error = (await stream.next("error")).error
    assert error.code == dialogue.ERROR_CODE_RESOURCE_EXHAUSTED
    assert error.turn_id == "t"
    for call in calls:
        call.cancel()
    await small.settled()
    await stream.send(say=dialogue.Utterance(text="Hi"))
    await stream.next("turn_finished")


async def test_a_session_lets_only_so_many_turns_wait(runtime):
    stream = Stream(runtime)
    await stream.open(sampling=exactly(3500))
    for number in range(40):
        await stream.send(say=dialogue.Utterance(text="Hi", turn_id=str(number)))
    refused = [(await stream.next("error")).error for _ in range(7)]
    assert [error.turn_id for error in refused] == [str(number) for number in range(33, 40)]
    assert all(error.code == dialogue.ERROR_CODE_RESOURCE_EXHAUSTED for error in refused)
    assert "32 turns" in refused[0].message
    stream.call.cancel()
    await runtime.settled()


async def test_gradual_growth_of_history_meets_the_limit_with_a_clear_message(small):
    """A saved game that is larger than one request may be."""
    lines = [
        dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_EVENT, text="It rains. " * 20)
        for _ in range(30)
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await small.open(history=lines)
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert str(LIMIT) in caught.value.details()


async def test_grpc_web_has_the_same_limit(small):
    for content_type in (grpc_web.BINARY, grpc_web.TEXT):
        for size in (LIMIT + 1, 50 * LIMIT):
            call, messages = await grpc_web.call(
                small.server.web_port,
                "Generate",
                grpc_web.frame(b"x" * size),
                content_type=content_type,
            )
            assert not messages
            assert call.code == StatusCode.RESOURCE_EXHAUSTED.value[0]
            assert str(LIMIT) in call.message


async def test_of_thousands_of_calls_at_once_each_is_answered(runtime):
    """More than wait in gRPC's own core by default before it drops some."""
    calls = [
        runtime.stub.GetSession(pb.GetSessionRequest(session_id="nobody")) for _ in range(4000)
    ]
    codes = await asyncio.gather(*(call.code() for call in calls))
    assert set(codes) == {StatusCode.NOT_FOUND}
