"""A failure of the engine itself: everybody learns of it, and nobody waits for ever."""

import asyncio
import contextlib
import threading

import pytest
from townsfolk.engine import EngineClosedError, EngineFailedError, watchdog
from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.engine.errors import DeviceFailedError
from townsfolk.engine.outbox import Outbox
from townsfolk.engine.responder import Responder
from townsfolk.engine.scheduler import Scheduler
from townsfolk.sampling import SamplingParams

LONG = SamplingParams(max_new_tokens=400, min_new_tokens=400)


def fault(error):
    def fail(*_):
        raise error

    return fail


async def expect_failure(engine, generations, match):
    async with asyncio.timeout(300):
        for generation in generations:
            with pytest.raises(EngineFailedError, match=match):
                await generation.result()
        error = await asyncio.wrap_future(engine.failed)
    assert match in str(error)
    assert engine.closed
    with pytest.raises(EngineFailedError, match=match):
        engine.submit([1], LONG)
    with pytest.raises(EngineFailedError, match=match):
        await engine.check()
    assert (engine.stats().requests_total, engine.stats().waiting) == (len(generations), 0)


async def until_logged(caplog, text):
    """It is logged once all have been told."""
    async with asyncio.timeout(300):
        while text not in caplog.text:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("error", [RuntimeError("no order"), SystemExit("no order"),
                                   KeyboardInterrupt("no order")])  # fmt: skip
async def test_whatever_ends_the_thread_is_told_to_all(start, monkeypatch, caplog, error):
    engine = start(max_batch=2)
    generations = [engine.submit([n], LONG) for n in range(1, 5)]  # two run, two wait
    await anext(generations[0])
    monkeypatch.setattr(Scheduler, "plan", fault(error))
    await expect_failure(engine, generations, "no order")
    await until_logged(caplog, "the engine has failed, and its process must be started anew: ")
    assert "no order" in caplog.text
    await engine.aclose()


async def test_two_faults_in_a_row_in_sending(start, monkeypatch):
    """The first one used to be caught; the second one, where it was told of, ended the thread."""
    engine = start()
    generation = engine.submit([1], LONG)
    await anext(generation)
    monkeypatch.setattr(Outbox, "flush", fault(RuntimeError("no way out")))
    monkeypatch.setattr(Outbox, "put", fault(RuntimeError("no way out")))
    await expect_failure(engine, [generation], "no way out")
    await engine.aclose()


async def test_a_reply_that_ended_just_before_is_given(start, monkeypatch):
    """It is no open request any more, and its end was not sent yet."""
    engine = start()
    finish = Responder.finish

    def finish_and_fail(*args):
        finish(*args)
        raise SystemExit("no order")

    generation = engine.submit([1], SamplingParams(max_new_tokens=5, min_new_tokens=5))
    monkeypatch.setattr(Responder, "finish", finish_and_fail)
    async with asyncio.timeout(300):
        assert len((await generation.result()).token_ids) == 5
        await asyncio.wrap_future(engine.failed)
    assert engine.closed


async def test_a_command_that_fails(start):
    engine = start()
    generation = engine.submit([1], LONG)
    engine._core._thread.post(fault(ValueError("no such command")))
    await expect_failure(engine, [generation], "no such command")


@pytest.mark.parametrize("method", ["launch", "collect"])
async def test_a_device_that_failed(start, monkeypatch, method):
    engine = start()
    generations = [engine.submit([n], LONG) for n in range(1, 4)]
    await anext(generations[0])
    monkeypatch.setattr(EagerRunner, method, fault(DeviceFailedError("an illegal address")))
    await expect_failure(engine, generations, "an illegal address")


@pytest.fixture
def hang(monkeypatch):
    """Makes steps that don't come back until the test is over; gives what is set in the first."""
    entered, release = threading.Event(), threading.Event()

    def collect(*_):
        entered.set()
        release.wait()
        return []

    def hang():
        monkeypatch.setattr(EagerRunner, "collect", collect)
        return entered

    monkeypatch.setattr(watchdog, "FLOOR_S", 0.2)
    monkeypatch.setattr(watchdog, "TIMES_LONGEST", 0.0)
    monkeypatch.setattr(watchdog, "POLL_S", 0.05)
    yield hang
    release.set()


async def test_a_step_that_does_not_come_back(start, hang):
    engine = start(max_batch=2)
    hang()
    generations = [engine.submit([n], LONG) for n in range(1, 5)]
    await expect_failure(engine, generations, "a step has not come back")
    generations[0].cancel()
    async with asyncio.timeout(300):
        await engine.aclose()


async def test_closing_does_not_wait_for_a_step_that_hangs(start, hang):
    engine = start()
    entered = hang()
    generation = engine.submit([1], LONG)
    await asyncio.to_thread(entered.wait)
    async with asyncio.timeout(300):
        await engine.aclose()
        with pytest.raises(EngineFailedError):
            await generation.result()


async def test_a_reader_in_another_loop_that_is_gone_hinders_nobody(start, monkeypatch):
    engine = start()

    async def leave():
        return engine.submit([2], LONG)

    gone = await asyncio.to_thread(asyncio.run, leave())
    here = engine.submit([1], LONG)
    monkeypatch.setattr(Scheduler, "plan", fault(RuntimeError("no order")))
    async with asyncio.timeout(300):
        with pytest.raises(EngineFailedError):
            await here.result()
    assert gone.completion is None


async def test_who_is_interrupted_in_its_callback_keeps_nobody_from_learning(start, monkeypatch):
    engine = start()
    told = []
    engine.failed.add_done_callback(lambda _: 1 / 0)
    engine.failed.add_done_callback(lambda failed: told.append(failed.result().reason))
    monkeypatch.setattr(Scheduler, "plan", fault(RuntimeError("no order")))
    with contextlib.suppress(EngineFailedError):
        await engine.generate([1], LONG)
    async with asyncio.timeout(300):
        while not told:
            await asyncio.sleep(0.01)
    assert told == ["RuntimeError: no order"]


async def test_closing_is_no_failure(start):
    engine = start()
    await engine.aclose()
    assert not engine.failed.done()
    with pytest.raises(EngineClosedError):
        engine.submit([1])


class TestWatchdog:
    """Its clock, without an engine."""

    def test_the_limit_is_so_many_times_the_longest_turn_of_late(self, monkeypatch):
        now = 0.0
        monkeypatch.setattr(watchdog.time, "monotonic", lambda: now)
        dog = watchdog.Watchdog(lambda seconds: None)
        assert dog.limit_s == watchdog.FLOOR_S
        dog.begin()
        now = 10.0
        dog.begin()
        assert dog.limit_s == pytest.approx(10 * watchdog.TIMES_LONGEST)
        dog.rest()
        now = 1e6  # a long rest is no long turn
        dog.begin()
        assert dog.limit_s == pytest.approx(10 * watchdog.TIMES_LONGEST)
        for _ in range(10_000):
            now += 0.01
            dog.begin()
        assert dog.limit_s == watchdog.FLOOR_S
