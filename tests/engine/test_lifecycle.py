"""Coming and going: cancellation, deadlines, priorities, limits, slow readers, the end."""

import asyncio
import gc
import random
import threading
import time
from contextlib import suppress

import pytest
from townsfolk.config import EngineSettings
from townsfolk.engine import (
    DeadlineExceededError,
    Engine,
    EngineClosedError,
    EngineOverloadedError,
    FinishReason,
)
from townsfolk.sampling import SamplingParams

LONG = SamplingParams(temperature=0, max_new_tokens=300, min_new_tokens=300)
SHORT = SamplingParams(max_new_tokens=8, min_new_tokens=8, seed=2)


async def test_cancelling_keeps_the_text_and_the_cache(start, prompts):
    engine = start()
    generation = engine.submit(prompts[6], LONG)
    shown = []
    async for delta in generation:
        shown.append(delta.text)
        if len(shown) == 5:
            generation.cancel()
    reply = generation.completion
    assert reply.finish_reason is FinishReason.INTERRUPTED
    assert reply.text == "".join(shown)
    assert len(reply.token_ids) >= 5
    await engine.check()
    following = [*prompts[6], *reply.token_ids, 3]
    cached = (await engine.generate(following, SHORT)).usage.cached_tokens
    assert cached == len(following) - 2  # the last drawn token was never read by a step


async def test_cancelling_before_the_first_token_gives_an_empty_reply(start):
    engine = start(max_batch=1)
    runs = engine.submit([1], LONG)
    await anext(runs)
    waits = engine.submit([2], LONG)
    waits.cancel()
    reply = await waits.result()
    assert (reply.text, reply.token_ids) == ("", ())
    assert reply.finish_reason is FinishReason.INTERRUPTED
    runs.cancel()
    runs.cancel()
    await runs.result()
    runs.cancel()


async def test_a_storm_of_cancellations_returns_all_blocks(start, prompts):
    engine = start(kv_memory_mib=1, max_batch=16, step_token_budget=40)
    choose = random.Random(5)

    async def visitor():
        generation = engine.submit(choose.choice(prompts), LONG, priority=choose.randrange(3))
        await asyncio.sleep(choose.random() * 0.3)
        if choose.random() < 0.3:
            return  # forgets the handle
        generation.cancel()
        assert (await generation.result()).finish_reason is FinishReason.INTERRUPTED

    await asyncio.gather(*(visitor() for _ in range(300)))
    gc.collect()
    await until(lambda: engine.stats().requests_total == 300)
    await engine.check()
    stats = engine.stats()
    assert (stats.requests_total, stats.running, stats.waiting) == (300, 0, 0)
    assert stats.kv_blocks_used == 0


async def test_a_cancelled_task_cancels_its_request(start):
    engine = start()
    task = asyncio.create_task(engine.generate([1], LONG))
    await until(lambda: engine.stats().running == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: engine.stats().requests_total == 1)


async def test_a_handle_that_nobody_holds_cancels_its_request(start):
    engine = start()
    generation = engine.submit([1], LONG)
    await anext(generation)
    del generation
    await until(lambda: engine.stats().requests_total == 1)
    assert engine.stats().generated_tokens_total < 300


async def test_a_deadline_cuts_the_reply_and_keeps_the_text(start):
    engine = start()
    # Twice as long each time, so that one in which a token comes ends long before the reply does.
    for doublings in range(12):
        with suppress(DeadlineExceededError):
            reply = await engine.generate([1], LONG, deadline_s=0.02 * 2**doublings)
            break
    assert reply.finish_reason is FinishReason.DEADLINE
    assert 0 < len(reply.token_ids) < 300
    assert reply.text


async def test_a_deadline_before_the_first_token_is_an_error(start):
    engine = start(max_batch=1)
    runs = engine.submit([1], LONG)
    await anext(runs)
    with pytest.raises(DeadlineExceededError):
        await engine.generate([2], SHORT, deadline_s=0.03)
    runs.cancel()
    reply = await engine.generate([2], SHORT, deadline_s=60)
    assert reply.finish_reason is FinishReason.LENGTH


async def test_the_more_important_request_goes_first(start):
    engine = start(max_batch=1)
    runs = engine.submit([1], LONG, priority=100)
    await anext(runs)
    ended = []

    async def request(name, priority):
        await engine.generate([2], SHORT, priority=priority)
        ended.append(name)

    tasks = [asyncio.create_task(request(n, n % 3)) for n in range(6)]
    await asyncio.sleep(0)
    runs.cancel()
    await asyncio.gather(*tasks)
    assert ended == [2, 5, 1, 4, 0, 3]


async def test_priority_can_change_while_a_request_waits(start):
    engine = start(max_batch=1)
    runs = engine.submit([1], LONG, priority=100)
    await anext(runs)
    first = engine.submit([2], SHORT)
    second = engine.submit([3], SHORT)
    second.set_priority(5)
    runs.cancel()
    await second.result()
    assert first.completion is None
    await first.result()
    with pytest.raises(ValueError, match="priority"):
        first.set_priority(1000)


async def test_an_important_request_takes_the_place_of_a_lesser_one(start, prompts):
    engine = start(max_batch=1)
    alone = await engine.generate(prompts[5], LONG)
    lesser = engine.submit(prompts[5], LONG, priority=-1)
    await anext(lesser)
    await engine.generate([2], SHORT)
    assert lesser.completion is None
    assert engine.stats().preemptions_total == 1
    # It goes on where it was, and nothing of it is lost or changed.
    assert (await lesser.result()).token_ids == alone.token_ids


async def test_exhaustion_preempts_and_everyone_still_gets_the_right_text(start, prompts):
    params = SamplingParams(temperature=0, max_new_tokens=100, min_new_tokens=100)
    roomy = start(kv_memory_mib=16)
    expected = await asyncio.gather(*(roomy.generate(p, params) for p in prompts))
    assert roomy.stats().preemptions_total == 0
    tight = start(kv_memory_mib=1, block_size=4)
    replies = await asyncio.gather(*(tight.generate(p, params) for p in prompts))
    assert tight.stats().preemptions_total > 0
    assert [r.token_ids for r in replies] == [r.token_ids for r in expected]


async def test_requests_beyond_the_limit_are_refused(start):
    engine = start(max_batch=2, max_waiting=3)
    accepted = [engine.submit([n], LONG) for n in range(5)]
    with pytest.raises(EngineOverloadedError, match="5 requests are open"):
        engine.submit([9], SHORT)
    accepted[0].cancel()
    await accepted[0].result()
    assert len((await engine.generate([9], SHORT, priority=9)).token_ids) == 8
    for generation in accepted:
        generation.cancel()
        await generation.result()


async def test_a_slow_reader_gets_everything_at_once_and_delays_nobody(start):
    engine = start()
    slow = engine.submit([1], LONG)
    await anext(slow)
    for _ in range(2):
        await engine.generate([2], LONG)
    assert slow.completion is not None
    rest = [delta async for delta in slow]
    assert len(rest) == 1
    assert slow.completion.text.endswith(rest[0].text)
    assert len(rest[0].tokens) > 200


async def test_requests_come_from_any_event_loop(start):
    engine = start()
    expected = await engine.generate([1], SHORT)
    texts = []

    def other():
        texts.append(asyncio.run(engine.generate([1], SHORT)).text)

    threads = [threading.Thread(target=other) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert texts == [expected.text] * 4


async def test_a_loop_that_closed_takes_its_requests_with_it(start):
    engine = start()

    async def leave():
        engine.keep = engine.submit([1], LONG)  # somebody still holds the handle

    await asyncio.to_thread(asyncio.run, leave())
    await engine.generate([2], SHORT)
    await until(lambda: engine.stats().requests_total == 2)
    assert engine.stats().generated_tokens_total < 300


async def test_closing_ends_what_runs_and_what_waits(start):
    engine = start(max_batch=1)
    runs, waits = engine.submit([1], LONG), engine.submit([2], LONG)
    await anext(runs)
    await engine.aclose()
    for generation in (runs, waits):
        with pytest.raises(EngineClosedError):
            await generation.result()
    with pytest.raises(EngineClosedError):
        engine.submit([1])
    engine.close()


async def test_an_engine_that_nobody_holds_ends_its_thread(directory):
    engine = Engine.from_pretrained(directory, EngineSettings(kv_memory_mib=1, device="cpu"))
    (thread,) = [t for t in threading.enumerate() if t.name == "townsfolk-engine"]
    await engine.generate([1], SHORT)
    del engine
    gc.collect()
    await until(lambda: not thread.is_alive())


async def test_an_idle_engine_uses_no_cpu(start):
    engine = start()
    await engine.generate([1], SHORT)
    for _ in range(20):  # until what came before, such as other tests' threads, has ended
        before = time.process_time()
        await asyncio.sleep(0.5)
        used = time.process_time() - before
        if used < 0.02:
            break
    assert used < 0.02


async def test_stats_count_what_happened(start, prompts):
    engine = start()
    await engine.generate(prompts[6], SHORT)
    await engine.generate(prompts[6], SHORT)
    stats = engine.stats()
    assert stats.requests_total == 2
    assert stats.generated_tokens_total == 16
    assert stats.prompt_tokens_total == 2 * len(prompts[6])
    assert stats.cached_tokens_total == len(prompts[6]) - 1
    assert 0 < stats.ttft_p50_ms <= stats.ttft_p99_ms
    assert stats.tokens_per_second > 0
    # A prompt and seven decodes each; the second prompt's last token alone was not cached.
    assert stats.steps_total == 16
    assert (stats.prompt_steps.measured, stats.decode_steps.measured) == (1, 2)
    for times in (stats.prompt_steps, stats.decode_steps):
        assert 0 < times.p50_ms <= times.p99_ms <= times.longest_ms
    blocks = stats.kv_blocks_used, stats.kv_blocks_cached, stats.kv_blocks_free
    assert sum(blocks) == engine.info.kv_capacity_tokens // 16
    assert blocks[0] == 0
    assert blocks[1] > 0


async def until(condition):
    """Waits for something that the engine's thread is about to do."""
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.01)
