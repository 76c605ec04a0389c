"""gRPC-Web, from a bare socket: every method, and the same rules as on the gRPC port."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_web import BINARY, SERVICE, TEXT, WebCall, call, frame
from service_runtime import exactly, serving
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb

GOOD = "https://game.example"
BAD = "https://elsewhere.example"
DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TownsfolkService"]


def generate(tokens: int, **params) -> bytes:
    request = pb.GenerateRequest(text="Hello", sampling=exactly(tokens, **params))
    return frame(request.SerializeToString())


def tokens_of(pieces: list[pb.GenerateResponse]) -> list:
    return [token for piece in pieces for token in piece.text.tokens]


def code(status: StatusCode) -> int:
    return status.value[0]


@pytest.mark.parametrize("content_type", [BINARY, TEXT, "application/grpc-web"])
async def test_a_unary_call(web, content_type):
    it, messages = await call(
        web.server.web_port, "GetRuntimeInfo", frame(b""), content_type=content_type
    )
    assert it.status == 200
    assert it.headers["content-type"] == content_type
    assert it.trailers == {"grpc-status": "0"}
    assert [pb.GetRuntimeInfoResponse.FromString(message) for message in messages] == [
        await web.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
    ]


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
async def test_a_stream_is_what_the_grpc_port_gives(web, content_type):
    request = pb.GenerateRequest(text="Hello", sampling=exactly(50, seed=4, logprobs=2))
    direct = [piece async for piece in web.stub.Generate(request)]
    it, messages = await call(
        web.server.web_port,
        "Generate",
        frame(request.SerializeToString()),
        content_type=content_type,
    )
    pieces = [pb.GenerateResponse.FromString(message) for message in messages]
    # The second prompt was cached, so that its numbers are rounded differently.
    for over_web, over_grpc in zip(*map(tokens_of, (pieces, direct)), strict=True):
        assert over_web.token.token_id == over_grpc.token.token_id
        assert over_web.token.token_bytes == over_grpc.token.token_bytes
        assert over_web.token.logprob == pytest.approx(over_grpc.token.logprob, abs=1e-4)
        assert len(over_web.top) == len(over_grpc.top) == 2
    assert "".join(p.text.text for p in pieces) == "".join(p.text.text for p in direct)
    assert pieces[-1].finished.usage.seed == 4
    assert it.trailers == {"grpc-status": "0"}


async def test_a_stream_arrives_as_it_is_made(web):
    async with WebCall(web.server.web_port, "Generate", generate(400)) as it:
        messages = it.messages()
        await anext(messages)
        assert web.backend.engine.stats().running == 1
        count = 1 + len([None async for _ in messages])
    assert count > 10


CALLS_WITHOUT_FIELDS = (
    "ListErrors",
    "ListSessions",
    "ListAdapters",
    "GetRuntimeInfo",
    "Release",
    "Warm",
)


async def test_every_method_is_there_and_client_streams_are_refused(web):
    for method in DESCRIPTOR.methods:
        request, timeout = b"", "60S"
        if method.name == "WatchStats":
            request, timeout = pb.WatchStatsRequest(interval_ms=50).SerializeToString(), "1500m"
        it, messages = await call(
            web.server.web_port, method.name, frame(request), headers={"grpc-timeout": timeout}
        )
        assert it.status == 200
        if method.client_streaming:
            assert it.code == code(StatusCode.UNIMPLEMENTED), method.name
            assert "OpenSession, Say" in it.message
        elif method.name == "WatchStats":
            assert len(messages) > 1
            assert it.code == code(StatusCode.DEADLINE_EXCEEDED)
        elif method.name in CALLS_WITHOUT_FIELDS:
            assert it.code == 0, method.name
        else:  # an empty request lacks something
            refusals = (code(StatusCode.INVALID_ARGUMENT), code(StatusCode.NOT_FOUND))
            assert it.code in refusals, method.name
            assert it.message


async def test_a_session_without_a_stream_of_its_own(web):
    port = web.server.web_port
    config = dialogue.SessionConfig(
        session_id="inn", persona=dialogue.Persona(name="Mira"), sampling=exactly(10)
    )
    opening = pb.OpenSessionRequest(open=pb.OpenSession(config=config))
    await call(port, "OpenSession", frame(opening.SerializeToString()))
    request = pb.SayRequest(session_id="inn", utterance=dialogue.Utterance(text="Hi"))
    _, messages = await call(port, "Say", frame(request.SerializeToString()))
    events = [pb.SayResponse.FromString(message).event for message in messages]
    assert events[0].HasField("turn_started")
    assert events[-1].HasField("turn_finished")
    _, messages = await call(
        port, "GetSession", frame(pb.GetSessionRequest(session_id="inn").SerializeToString())
    )
    history = pb.GetSessionResponse.FromString(messages[0]).config.history
    assert history[-1].text == events[-1].turn_finished.text


async def test_errors_travel_in_the_trailers(web):
    request = pb.GetSessionRequest(session_id="naïve 100%")
    it, messages = await call(web.server.web_port, "GetSession", frame(request.SerializeToString()))
    assert not messages
    assert it.status == 200
    assert it.code == code(StatusCode.NOT_FOUND)
    assert "naïve 100%" in it.message


@pytest.mark.parametrize("path", [SERVICE + "Sing", "/nobody.Service/Get", "/"])
async def test_what_does_not_exist_is_unimplemented(web, path):
    it, _ = await call(web.server.web_port, path, frame(b""))
    assert it.code == code(StatusCode.UNIMPLEMENTED)


async def test_health_is_there_too(web):
    it, messages = await call(web.server.web_port, "/grpc.health.v1.Health/Check", frame(b""))
    assert it.code == 0
    status = health_pb2.HealthCheckResponse.FromString(messages[0]).status
    assert status == health_pb2.HealthCheckResponse.SERVING


BROKEN = [
    (b"", "0 bytes"),
    (b"\0\0\0\0\x09abc", "announces 9"),
    (frame(b"") * 2, "exactly one"),
    (frame(b"", flags=1), "compressed"),
    (frame(b"", flags=0x80), "trailers"),
    (frame(b"\xff\xff"), "no valid townsfolk.v1.GenerateRequest"),
]


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
async def test_broken_frames_are_refused_with_a_reason(web, content_type):
    for body, says in BROKEN:
        it, messages = await call(web.server.web_port, "Generate", body, content_type=content_type)
        assert not messages
        assert it.code == code(StatusCode.INVALID_ARGUMENT), body
        assert says in it.message, body


async def test_a_broken_timeout_is_refused(web):
    it, _ = await call(
        web.server.web_port, "GetRuntimeInfo", frame(b""), headers={"grpc-timeout": "soon"}
    )
    assert it.code == code(StatusCode.INVALID_ARGUMENT)
    assert "grpc-timeout" in it.message


async def test_the_deadline_ends_the_request(web):
    it, _ = await call(
        web.server.web_port, "Generate", generate(4000), headers={"grpc-timeout": "300m"}
    )
    assert it.code == code(StatusCode.DEADLINE_EXCEEDED)
    assert (await web.settled()).generated_tokens_total < 4000


async def test_a_client_that_leaves_ends_its_request(web):
    async with WebCall(web.server.web_port, "Generate", generate(4000)) as it:
        await anext(it.messages())
    assert (await web.settled()).generated_tokens_total < 4000


async def test_a_client_that_leaves_cuts_the_answer_and_the_session_stays(web):
    await web.open(session_id="inn", sampling=exactly(3500))
    request = pb.SayRequest(session_id="inn", utterance=dialogue.Utterance(text="Go on."))
    async with WebCall(web.server.web_port, "Say", frame(request.SerializeToString())) as it:
        messages = it.messages()
        for _ in range(3):
            await anext(messages)
    await web.settled()
    session = await web.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    assert session.config.history[-1].cut


async def test_a_storm_of_leaving_clients_leaves_nothing_behind(web):
    async def one(number: int) -> None:
        async with WebCall(web.server.web_port, "Generate", generate(500, seed=number)):
            await asyncio.sleep(0.002 * (number % 50))

    total = (await web.settled()).kv_blocks_free
    await asyncio.gather(*map(one, range(60)))
    stats = await web.settled()
    assert stats.kv_blocks_free + stats.kv_blocks_cached == total
    it, _ = await call(web.server.web_port, "GetRuntimeInfo", frame(b""))
    assert it.code == 0


async def test_one_that_reads_nothing_slows_nobody_and_loses_nothing(web):
    async with WebCall(web.server.web_port, "Generate", generate(1200, logprobs=20)) as slow:
        for _ in range(5):
            it, _ = await call(web.server.web_port, "Generate", generate(20))
            assert it.code == 0
        while web.backend.engine.stats().running:
            await asyncio.sleep(0.05)
        tokens = 0
        async for message in slow.messages():
            tokens += len(pb.GenerateResponse.FromString(message).text.tokens)
    assert slow.code == 0
    assert tokens == 1200


async def test_the_token_is_asked_for_here_too(model):
    settings = ServiceSettings(port=0, web_port=0, auth_token="secret", web_origins=(GOOD,))
    async with serving(model, settings) as runtime:
        port = runtime.server.web_port
        for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer \xe4"}):
            it, _ = await call(port, "GetRuntimeInfo", frame(b""), headers=wrong)
            assert it.code == code(StatusCode.UNAUTHENTICATED)
            assert "authorization: Bearer" in it.message
        right = {"authorization": "Bearer secret"}
        it, messages = await call(port, "GetRuntimeInfo", frame(b""), headers=right)
        assert it.code == 0
        assert messages
        # A browser asks before it calls, and can't send the token then.
        async with WebCall(port, "Say", b"", method="OPTIONS", headers={"origin": GOOD}) as it:
            assert it.status == 204


async def test_a_page_of_an_allowed_origin_may_call(web):
    port = web.server.web_port
    ask = {
        "origin": GOOD,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-grpc-web,grpc-timeout",
        "access-control-request-private-network": "true",
    }
    async with WebCall(port, "Generate", b"", method="OPTIONS", headers=ask) as it:
        assert it.status == 204
        assert it.headers["access-control-allow-origin"] == GOOD
        assert it.headers["access-control-allow-methods"] == "POST"
        assert it.headers["access-control-allow-private-network"] == "true"
        allowed = {name.strip() for name in it.headers["access-control-allow-headers"].split(",")}
        assert allowed >= set(ask["access-control-request-headers"].split(","))
    it, messages = await call(port, "Generate", generate(3), headers={"origin": GOOD})
    assert it.headers["access-control-allow-origin"] == GOOD
    assert "origin" in it.headers["vary"].lower()
    assert messages


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_a_page_of_another_origin_is_refused(web, method):
    for origin in (BAD, "null", GOOD + ".evil.example", "http://game.example"):
        async with WebCall(
            web.server.web_port, "Generate", generate(3), method=method, headers={"origin": origin}
        ) as it:
            assert it.status == 403, origin
            assert "access-control-allow-origin" not in it.headers
            assert b"--web-origins" in await it.body()
    assert web.backend.engine.stats().requests_total == 0


async def test_by_default_no_page_may_call(model):
    async with serving(model, ServiceSettings(port=0, web_port=0)) as runtime:
        async with WebCall(
            runtime.server.web_port, "GetRuntimeInfo", frame(b""), headers={"origin": GOOD}
        ) as it:
            assert it.status == 403
        it, _ = await call(runtime.server.web_port, "GetRuntimeInfo", frame(b""))
        assert it.code == 0


async def test_all_pages_may_call_when_allowed(model):
    settings = ServiceSettings(port=0, web_port=0, web_origins=("*",), auth_token="secret")
    async with (
        serving(model, settings) as runtime,
        WebCall(
            runtime.server.web_port,
            "GetRuntimeInfo",
            frame(b""),
            headers={"origin": BAD, "authorization": "Bearer secret"},
        ) as it,
    ):
        assert it.status == 200
        assert it.headers["access-control-allow-origin"] == BAD


async def test_what_is_no_grpc_web_is_refused(web):
    for method, content_type, status in (
        ("GET", BINARY, 405),
        ("PUT", BINARY, 405),
        ("POST", "application/grpc", 415),
        ("POST", "", 415),
    ):
        async with WebCall(
            web.server.web_port, "Generate", b"", method=method, content_type=content_type
        ) as it:
            assert it.status == status
            assert await it.body()


async def test_rubbish_instead_of_http_hurts_nobody(web):
    for rubbish in (
        b"\x00\x01\x02\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", web.server.web_port)
        writer.write(rubbish)
        async with asyncio.timeout(300):
            await reader.read()
        writer.close()
    it, _ = await call(web.server.web_port, "GetRuntimeInfo", frame(b""))
    assert it.code == 0
