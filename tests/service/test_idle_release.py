"""A runtime that was idle has given its memory back; callers only see a slower first token."""

from __future__ import annotations

import asyncio
import shutil

from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from service_runtime import Stream, exactly, serving, status
from townsfolk.v1 import dialogue_pb2, sampling_pb2
from townsfolk.v1 import townsfolk_pb2 as pb

GREEDY = sampling_pb2.SamplingParams(temperature=0, max_new_tokens=24)


async def released(runtime):
    async with asyncio.timeout(300):
        while (info := await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())).model_state:
            if info.model_state == pb.MODEL_STATE_RELEASED:
                return info
            await asyncio.sleep(0.01)


async def conversation(runtime, between):
    stream = Stream(runtime)
    await stream.open(persona=dialogue_pb2.Persona(name="Mira"), sampling=GREEDY)
    texts = []
    for line in ("Hello!", "What is your name?", "Who is the mayor?"):
        await stream.send(say=dialogue_pb2.Utterance(text=line, speaker="Jonas"))
        texts.append((await stream.next("turn_finished")).turn_finished.text)
        await between(runtime)
    return texts


async def test_a_conversation_goes_on_after_each_release():
    async def at_once(runtime):
        pass

    settings = {"dtype": "float32", "kv_memory_mib": 64}
    async with serving("starter", **settings) as runtime:
        expected = await conversation(runtime, at_once)
    async with serving("starter", **settings, idle_release_s=0.05) as runtime:
        assert await conversation(runtime, released) == expected
        await released(runtime)
        watch = runtime.stub.WatchStats(pb.WatchStatsRequest())
        assert (await watch.read()).model_state == pb.MODEL_STATE_RELEASED
        watch.cancel()
        health = health_pb2_grpc.HealthStub(runtime.channel)
        checked = await health.Check(health_pb2.HealthCheckRequest())
        assert checked.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_load_that_fails_is_told_to_the_caller_and_tried_again(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    async with serving(copy, idle_release_s=0.05) as runtime:
        stream = Stream(runtime)
        await stream.open(sampling=exactly(5))
        await released(runtime)
        weights = copy / "model.safetensors"
        weights.rename(copy / "away")
        request = pb.GenerateRequest(text="Hello", sampling=exactly(5))
        code, message = await status(runtime.stub.Generate(request))
        assert code is StatusCode.UNAVAILABLE
        assert "can't be loaded again" in message
        await stream.send(say=dialogue_pb2.Utterance(text="Hello!"))
        error = (await stream.next("error")).error
        assert error.code == dialogue_pb2.ERROR_CODE_FAILED_PRECONDITION
        assert "can't be loaded again" in error.message
        (copy / "away").rename(weights)
        await stream.send(say=dialogue_pb2.Utterance(text="Hello!"))
        assert (await stream.next("turn_finished")).turn_finished.usage.generated_tokens == 5
