"""The model's memory is given back and got back when asked; conversations live on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from townsfolk.engine import DeadlineExceededError, Engine, ModelReloadError, ModelState
from townsfolk.engine.errors import EngineClosedError, ModelStaysError
from townsfolk.grammar import Grammar, GrammarKind
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

CYCLES = Path(__file__).parent.parent / "support" / "release_cycles.py"
LONG = SamplingParams(temperature=0, max_new_tokens=200, min_new_tokens=200)


async def until(engine, state):
    async with asyncio.timeout(300):
        while engine.stats().model_state is not state:
            await asyncio.sleep(0.005)


async def test_replies_pause_and_go_on_with_the_same_text(start, prompts):
    plain, engine = start(), start()
    expected = [(await plain.generate(prompt, LONG)).token_ids for prompt in prompts[:3]]
    replies = [engine.submit(prompt, LONG) for prompt in prompts[:3]]
    await anext(replies[0])
    await engine.release()
    stats = engine.stats()
    assert stats.model_state is ModelState.RELEASED
    assert (stats.kv_blocks_used, stats.kv_blocks_cached) == (0, 0)
    await engine.check()
    assert all(reply.completion is None for reply in replies)
    await engine.warm()
    assert engine.stats().model_state is ModelState.LOADED
    assert [(await reply.result()).token_ids for reply in replies] == expected


async def test_the_next_request_brings_it_back_and_those_that_paused_go_on(start, prompts):
    engine = start()
    paused = engine.submit(prompts[0], LONG)
    await anext(paused)
    await engine.release()
    await asyncio.sleep(0.1)
    assert engine.stats().model_state is ModelState.RELEASED  # one that paused does not count
    await engine.generate(prompts[1], LONG)
    assert len((await paused.result()).token_ids) == 200


async def test_until_warm_nobody_brings_it_back_and_deadlines_hold(start, prompts):
    engine = start()
    await engine.release(until_warm=True)
    waits = engine.submit(prompts[0], LONG)
    late = engine.submit(prompts[1], LONG, deadline_s=0.05)
    gone = engine.submit(prompts[2], LONG)
    gone.cancel()
    with pytest.raises(DeadlineExceededError):
        await late.result()
    assert (await gone.result()).token_ids == ()
    assert engine.stats().model_state is ModelState.RELEASED
    await engine.warm()
    assert len((await waits.result()).token_ids) == 200
    await engine.release()  # the wish to wait for `warm` ended with it
    await engine.generate(prompts[0], LONG)


async def test_both_may_be_asked_again_and_at_once(start, prompts):
    engine = start()
    await engine.warm()
    await asyncio.gather(engine.release(), engine.release())
    await engine.release()
    await asyncio.gather(engine.warm(), engine.warm(), engine.release(), engine.warm())
    assert engine.stats().model_state is ModelState.LOADED
    await engine.generate(prompts[0], LONG)


async def test_a_release_while_it_loads_comes_after(start, slow_load):
    engine = start()
    await engine.release()
    go_on = slow_load()
    warming = asyncio.create_task(engine.warm())
    await until(engine, ModelState.LOADING)
    releasing = asyncio.create_task(engine.release())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(warming, releasing)
    assert engine.stats().model_state is ModelState.RELEASED


async def test_what_keeps_it_from_coming_back_is_told_and_tried_again(start, prompts, monkeypatch):
    engine = start()
    await engine.release()
    with monkeypatch.context() as patch:

        def refuse(*_):
            raise RuntimeError("the disk is gone")

        patch.setattr(Decoder, "load", refuse)
        with pytest.raises(ModelReloadError, match="the disk is gone"):
            await engine.warm()
    await engine.warm()
    await engine.generate(prompts[0], LONG)


async def test_a_model_that_was_given_in_memory_stays(directory):
    pretrained = Engine.from_pretrained(directory)
    await pretrained.aclose()
    decoder = Decoder.load(directory, None, "cpu")
    from townsfolk.config import EngineSettings

    engine = Engine(decoder, None, EngineSettings(kv_memory_mib=4, device="cpu"), name="given")
    with pytest.raises(ModelStaysError, match="nothing could load it again"):
        await engine.release()
    await engine.warm()
    await engine.aclose()


async def test_an_engine_that_closes_tells_who_waits(start):
    engine = start()
    await engine.release(until_warm=True)
    await engine.aclose()
    with pytest.raises(EngineClosedError):
        await engine.warm()


async def test_a_reply_under_a_grammar_goes_on(tmp_path):
    from townsfolk.config import EngineSettings

    engine = Engine.from_pretrained("starter", EngineSettings(device="cpu", threads=1))
    grammar = await engine.compile(Grammar(GrammarKind.REGEX, "[a-z]{40}"))
    params = SamplingParams(temperature=0, max_new_tokens=60)
    plain = (await engine.submit("Hello", params, grammar=grammar).result()).text
    paused = engine.submit("Hello", params, grammar=grammar)
    await anext(paused)
    await engine.release()
    await engine.warm()
    assert (await paused.result()).text == plain
    await engine.aclose()


def cycles(count: int) -> dict:
    """Release and warm a model in a process of its own; return what it took each time."""
    job = {
        "model": "starter",
        "cycles": count,
        "settings": {"device": "cpu", "threads": 1, "kv_memory_mib": 128},
    }
    command = [sys.executable, CYCLES, json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_twenty_releases_leave_nothing():
    cycles(1)  # compiles for this processor if nobody has, after which memory is in pieces
    report = cycles(20)
    assert report["texts"] == 1
    for state in ("released", "warm"):
        host = [each["host"] for each in report[state]]
        # MiB. What threads keep of freed memory goes up and down; what is left behind only adds up,
        # and the model's weights alone are 20.
        assert min(host[-5:]) - max(host[2:5]) < 24
