"""The end of a runtime: nothing new begins, what is being said is finished or cut off in time."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_web import WebCall, call, frame
from service_runtime import Runtime, Stream, exactly, serving, status
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import sampling_pb2 as sampling
from townsfolk.v1 import townsfolk_pb2 as pb


def settings(grace_s: float) -> ServiceSettings:
    return ServiceSettings(port=0, web_port=0, shutdown_grace_s=grace_s)


def generate(tokens: int) -> pb.GenerateRequest:
    return pb.GenerateRequest(text="Hello", sampling=exactly(tokens))


async def health_of(runtime: Runtime) -> int:
    stub = health_pb2_grpc.HealthStub(runtime.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest())).status


async def test_answers_under_way_are_finished_and_new_ones_refused(model):
    async with serving(model, settings(grace_s=120)) as runtime:
        raw = asyncio.create_task(status(runtime.stub.Generate(generate(800))))
        stream = Stream(runtime)
        await stream.open(session_id="inn", sampling=exactly(400))
        for _ in range(2):
            await stream.send(say=dialogue.Utterance(text="Go on."))
        await runtime.speaking(2)
        # The answers pause, so that none ends before all of this was asked.
        await runtime.backend.engine.release(until_warm=True)
        stopping = asyncio.create_task(runtime.server.stop())
        async with asyncio.timeout(300):
            while await health_of(runtime) == health_pb2.HealthCheckResponse.SERVING:
                pass
        refused = [
            runtime.stub.Generate(generate(1)),
            runtime.stub.Say(
                pb.SayRequest(session_id="inn", utterance=dialogue.Utterance(text="Hi"))
            ),
        ]
        for code, message in await asyncio.gather(*map(status, refused)):
            assert code is StatusCode.UNAVAILABLE
            assert "shutting down" in message
        with pytest.raises(grpc.aio.AioRpcError, match="shutting down"):
            await runtime.open()
        # A game may still save what was said.
        assert await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
        it, _ = await call(
            runtime.server.web_port, "Generate", frame(generate(1).SerializeToString())
        )
        assert it.code == StatusCode.UNAVAILABLE.value[0]

        await runtime.backend.engine.warm()
        assert (await raw)[0] is StatusCode.OK
        events = await stream.rest()
        finished = [event for event in events if event.HasField("turn_finished")]
        assert len(finished) == 2
        assert await stream.call.code() is StatusCode.UNAVAILABLE
        assert "shutting down" in await stream.call.details()
        await stopping


async def test_answers_that_take_too_long_are_cut_off_and_say_so(model):
    async with serving(model, settings(grace_s=0.3)) as runtime:
        stream = Stream(runtime)
        await stream.open(sampling=exactly(3500))
        for turn_id in ("a", "b"):
            await stream.send(say=dialogue.Utterance(text="Go on.", turn_id=turn_id))
        raw = runtime.stub.Generate(generate(3500))
        await runtime.speaking(2)
        await stream.next("text_delta")
        await runtime.server.stop()
        events = await stream.rest()
        cut = [event.turn_interrupted for event in events if event.HasField("turn_interrupted")]
        assert [turn.turn_id for turn in cut] == ["a", "b"]
        assert cut[0].text
        assert await stream.call.code() is StatusCode.UNAVAILABLE
        *_, last = [message async for message in raw]
        assert last.finished.finish_reason == sampling.FINISH_REASON_INTERRUPTED
        assert await raw.code() is StatusCode.OK
        await runtime.backend.engine.check()
        assert runtime.backend.engine.stats().kv_blocks_used == 0


async def test_who_is_in_a_hurry_is_not_made_to_wait(model):
    async with serving(model, settings(grace_s=600)) as runtime:
        stream = Stream(runtime)
        await stream.open(sampling=exactly(3900))
        await stream.send(say=dialogue.Utterance(text="Go on."))
        await runtime.speaking()
        hurried = asyncio.Event()
        stopping = asyncio.create_task(runtime.server.stop(hurried))
        await asyncio.sleep(0.1)
        assert not stopping.done()
        hurried.set()
        async with asyncio.timeout(300):
            await stopping
        assert (await stream.rest())[-1].HasField("turn_interrupted")


async def test_idle_streams_of_all_kinds_do_not_hold_the_end_up(model):
    async with serving(model, settings(grace_s=600)) as runtime:
        streams = [Stream(runtime) for _ in range(20)]
        for stream in streams:
            await stream.open()
        stats = runtime.stub.WatchStats(pb.WatchStatsRequest(interval_ms=60000))
        await stats.read()
        health = health_pb2_grpc.HealthStub(runtime.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        unopened = runtime.stub.Converse()
        await unopened.wait_for_connection()
        watch = frame(pb.WatchStatsRequest(interval_ms=60000).SerializeToString())
        async with WebCall(runtime.server.web_port, "WatchStats", watch) as over_web:
            messages = over_web.messages()
            await anext(messages)
            async with asyncio.timeout(300):
                await runtime.server.stop()
            assert [message async for message in messages] == []
            assert over_web.code == StatusCode.UNAVAILABLE.value[0]
        for stream in streams:
            assert await stream.rest() == []
            assert await stream.call.code() is StatusCode.UNAVAILABLE
        assert await stats.code() is StatusCode.UNAVAILABLE
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_the_end_under_load_is_in_time_and_loses_no_block(model):
    async with serving(model, settings(grace_s=0.5)) as runtime:
        calls = [
            asyncio.create_task(status(runtime.stub.Generate(generate(2000)))) for _ in range(40)
        ]
        web = [
            asyncio.create_task(
                call(runtime.server.web_port, "Generate", frame(generate(2000).SerializeToString()))
            )
            for _ in range(10)
        ]
        await runtime.speaking(50)
        async with asyncio.timeout(300):
            await runtime.server.stop()
        for code, _ in await asyncio.gather(*calls):
            assert code in (StatusCode.OK, StatusCode.UNAVAILABLE)
        for it, _ in await asyncio.gather(*web):
            assert it.code in (0, StatusCode.UNAVAILABLE.value[0])
        await runtime.backend.engine.check()
        assert runtime.backend.engine.stats().kv_blocks_used == 0
