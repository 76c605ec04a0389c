"""A game that reports its frames is computed around; its limits are told."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from service_runtime import Stream, exactly, serving, status
from townsfolk.v1 import dialogue_pb2
from townsfolk.v1 import townsfolk_pb2 as pb

FRAME_US = 16_667


def report(**fields):
    request = {"reporter": "game", "clock_us": time.perf_counter_ns() // 1000}
    return pb.ReportFramesRequest(**request | {"target_us": FRAME_US} | fields)


async def pace(runtime):
    """The pace as WatchStats tells it."""
    watch = runtime.stub.WatchStats(pb.WatchStatsRequest())
    stats = await watch.read()
    watch.cancel()
    return stats.pace if stats.HasField("pace") else None


async def draw(runtime, busy_us, policy, until):
    """Report the frames of a game, as a plugin does, until an event is set."""
    begins = []
    while not until.is_set():
        begins.append(time.perf_counter())
        await asyncio.sleep(max(FRAME_US / 1e6 - (time.perf_counter() - begins[-1]), 0))
        if len(begins) == 6:
            now = time.perf_counter()
            frames = [
                pb.Frame(age_us=int((now - begin) * 1e6), busy_us=busy_us) for begin in begins
            ]
            request = report(clock_us=int(now * 1e6), policy=policy, frames=frames)
            await runtime.stub.ReportFrames(request)
            begins = []


async def test_stats_show_the_pace_until_the_game_falls_silent_or_is_done(runtime):
    assert await pace(runtime) is None
    frames = [pb.Frame(age_us=(5 - n) * FRAME_US, busy_us=6000) for n in range(5)]
    async with asyncio.timeout(300):
        while (shown := await pace(runtime)) is None:  # it falls silent half a second later
            await runtime.stub.ReportFrames(report(policy=pb.PACE_POLICY_SMOOTH, frames=frames))
    assert shown.policy == pb.PACE_POLICY_SMOOTH
    assert shown.frame_ms == pytest.approx(FRAME_US / 1000)
    assert 0 < shown.budget_ms < 10.7  # less by what the clocks of both may differ
    assert shown.reporters == 1
    async with asyncio.timeout(300):
        while await pace(runtime) is not None:
            await asyncio.sleep(0.02)
    await runtime.stub.ReportFrames(report())
    await runtime.stub.ReportFrames(pb.ReportFramesRequest(reporter="game", done=True))
    async with asyncio.timeout(300):
        while await pace(runtime) is not None:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("policy", [pb.PACE_POLICY_SMOOTH, pb.PACE_POLICY_FAST])
async def test_answers_beside_frames_are_those_without(starter, policy):
    texts = []
    greedy = exactly(10, temperature=0)
    for busy_us in (None, 4000, 30_000):  # the last leaves no room at all
        over = asyncio.Event()
        drawing = None
        if busy_us is not None:
            drawing = asyncio.create_task(draw(starter, busy_us, policy, over))
            async with asyncio.timeout(300):
                while await pace(starter) is None:
                    await asyncio.sleep(0.01)
        stream = Stream(starter)
        await stream.open(persona=dialogue_pb2.Persona(name="Mira"), sampling=greedy)
        await stream.send(say=dialogue_pb2.Utterance(text="Hello!", speaker="Jonas"))
        texts.append((await stream.next("turn_finished")).turn_finished.text)
        await stream.send(close=True)
        if drawing is not None:
            shown = await pace(starter)
            over.set()
            await drawing
            assert shown.policy == policy
            # Where a frame leaves time, all steps of a fast machine may fit into it.
            if policy == pb.PACE_POLICY_SMOOTH and busy_us == 30_000:
                assert shown.steps_delayed > 0
                assert shown.steps_forced > 5
    assert len(set(texts)) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reporter": "x" * 65}, "reporter"),
        ({"target_us": 999}, "target_us"),
        ({"target_us": 0}, "target_us"),
        ({"target_us": 1_000_001}, "target_us"),
        ({"policy": 9}, "policy"),
        ({"frames": [pb.Frame()] * 257}, "frames"),
        ({"frames": [pb.Frame(age_us=10_000_001)]}, "age_us"),
        ({"frames": [pb.Frame(busy_us=10_000_001)]}, "busy_us"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_can_not_be_is_refused(runtime, fields, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await runtime.stub.ReportFrames(report(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith(message)
    assert await pace(runtime) is None


async def test_a_ninth_game_is_told_that_nobody_listens(runtime):
    for number in range(8):
        await runtime.stub.ReportFrames(report(reporter=str(number)))
    async with asyncio.timeout(300):
        while (shown := await pace(runtime)) is None or shown.reporters < 8:
            for number in range(8):
                await runtime.stub.ReportFrames(report(reporter=str(number)))
    with pytest.raises(grpc.aio.AioRpcError, match="8 games report"):
        await runtime.stub.ReportFrames(report(reporter="ninth"))


async def test_release_and_warm(model):
    async with serving(model) as runtime:
        session = await runtime.open(sampling=exactly(5))
        release = pb.ReleaseRequest(until_warm=True)
        assert (await runtime.stub.Release(release)).memory_used_mib > 0
        info = await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
        assert info.model_state == pb.MODEL_STATE_RELEASED
        said = dialogue_pb2.Utterance(text="Hello!")
        say = runtime.stub.Say(pb.SayRequest(session_id=session, utterance=said))
        assert (await say.read()).event.WhichOneof("event") == "turn_started"
        await runtime.stub.Warm(pb.WarmRequest())
        while await say.read() is not grpc.aio.EOF:
            pass
        assert await say.code() is grpc.StatusCode.OK
        await runtime.stub.Release(pb.ReleaseRequest())
        say = runtime.stub.Say(pb.SayRequest(session_id=session, utterance=said))
        assert (await status(say))[0] is grpc.StatusCode.OK
        await runtime.settled()
