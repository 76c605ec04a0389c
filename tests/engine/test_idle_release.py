"""A model that nobody needs gives its memory back, and comes again with the next request."""

import asyncio
import shutil
import threading
import time
import weakref

import pytest
from townsfolk.config import EngineSettings
from townsfolk.engine import (
    DeadlineExceededError,
    Engine,
    EngineClosedError,
    FinishReason,
    ModelReloadError,
    ModelState,
)
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0, max_new_tokens=12, min_new_tokens=12)


async def until(engine, state):
    async with asyncio.timeout(300):
        while engine.stats().model_state is not state:
            await asyncio.sleep(0.005)


async def test_conversations_go_on_with_the_same_text(start, prompts):
    plain, released = start(), start(idle_release_s=0.05)
    said = {True: [], False: []}
    for turn in range(3):
        for engine in (plain, released):
            history = [*prompts[6], *(i for ids in said[engine is plain] for i in (*ids, 7, turn))]
            reply = await engine.generate(history, GREEDY)
            said[engine is plain].append(reply.token_ids)
        await until(released, ModelState.RELEASED)
        await released.check()
    assert said[True] == said[False]
    assert plain.stats().model_state is ModelState.LOADED


async def test_weights_and_kv_are_given_back(start, monkeypatch, prompts):
    loaded = []
    load = Decoder.load.__func__

    def note(cls, *args):
        decoder = load(cls, *args)
        loaded.append(weakref.ref(decoder))
        loaded.append(weakref.ref(decoder.weights.layers[0].qkv.dense()[0].untyped_storage()))
        return decoder

    monkeypatch.setattr(Decoder, "load", classmethod(note))
    engine = start(idle_release_s=0.05)
    await engine.generate(prompts[3], GREEDY)
    await until(engine, ModelState.RELEASED)
    assert all(reference() is None for reference in loaded)
    stats = engine.stats()
    assert (stats.kv_blocks_cached, stats.kv_blocks_used) == (0, 0)
    again = await engine.generate(prompts[3], GREEDY)
    assert again.usage.cached_tokens == 0  # the cache went with the memory


async def test_it_stays_while_a_request_is_under_way_and_for_the_time_set(start):
    engine = start(idle_release_s=0.4)
    generation = engine.submit([1], SamplingParams(max_new_tokens=400, min_new_tokens=400))
    while generation.completion is None:
        stats = engine.stats()
        assert stats.model_state is ModelState.LOADED or not stats.running
        await asyncio.sleep(0.01)
    await until(engine, ModelState.RELEASED)
    begun = time.monotonic()  # the time is counted from the end of the reply, which comes later
    await engine.generate([1], GREEDY)
    await until(engine, ModelState.RELEASED)
    assert time.monotonic() - begun > 0.4


async def test_by_default_it_stays(start):
    engine = start()
    await engine.generate([1], GREEDY)
    await asyncio.sleep(0.3)
    assert engine.stats().model_state is ModelState.LOADED


async def test_requests_that_come_at_any_moment_of_it_are_served(start, prompts, monkeypatch):
    expected = [(await start().generate(prompt, GREEDY)).token_ids for prompt in prompts[:4]]
    engine = start(idle_release_s=0.001)
    loads = []
    load = Decoder.load.__func__
    monkeypatch.setattr(
        Decoder, "load", classmethod(lambda cls, *args: loads.append(1) or load(cls, *args))
    )
    for pause in range(40):
        found = await asyncio.gather(*(engine.generate(p, GREEDY) for p in prompts[:4]))
        assert [reply.token_ids for reply in found] == expected
        await asyncio.sleep(pause / 5000)
    assert len(loads) > 3


async def test_while_it_loads_requests_can_be_cancelled_and_expire(start, slow_load):
    engine = start(idle_release_s=0.01)
    await until(engine, ModelState.RELEASED)
    go_on = slow_load()
    cancelled = engine.submit([1], GREEDY)
    expires = engine.submit([2], GREEDY, deadline_s=0.05)
    waits = engine.submit([3], GREEDY)
    await until(engine, ModelState.LOADING)
    cancelled.cancel()
    assert (await cancelled.result()).finish_reason is FinishReason.INTERRUPTED
    with pytest.raises(DeadlineExceededError):
        await expires.result()
    assert engine.stats().model_state is ModelState.LOADING
    go_on.set()
    assert len((await waits.result()).token_ids) == 12


async def test_closing_while_it_loads_ends_the_loading(start, slow_load):
    engine = start(idle_release_s=0.01)
    await until(engine, ModelState.RELEASED)
    slow_load()
    waits = engine.submit([3], GREEDY)
    await until(engine, ModelState.LOADING)
    await engine.aclose()
    with pytest.raises(EngineClosedError):
        await waits.result()
    assert not [thread for thread in threading.enumerate() if thread.name == "townsfolk-loader"]


async def test_a_load_that_fails_concerns_those_who_wait_and_is_tried_again(directory, tmp_path):
    model = shutil.copytree(directory, tmp_path / "model")
    settings = EngineSettings(kv_memory_mib=4, threads=1, device="cpu", idle_release_s=0.01)
    engine = Engine.from_pretrained(model, settings)
    expected = (await engine.generate([1, 2, 3], GREEDY)).token_ids
    await until(engine, ModelState.RELEASED)
    weights = model / "model.safetensors"
    weights.rename(model / "away")
    for _ in range(2):
        waiting = [engine.submit([1, 2, 3], GREEDY) for _ in range(2)]
        for generation in waiting:
            with pytest.raises(ModelReloadError, match=r"can't be loaded again.*no \*.safetensors"):
                await generation.result()
        await engine.check()
        assert engine.stats().model_state is ModelState.RELEASED
    (model / "away").rename(weights)
    assert (await engine.generate([1, 2, 3], GREEDY)).token_ids == expected
    await engine.aclose()


async def test_closing_while_it_is_released(start):
    engine = start(idle_release_s=0.01)
    await until(engine, ModelState.RELEASED)
    await engine.aclose()
    with pytest.raises(EngineClosedError):
        engine.submit([1])
