"""How what the engine's thread says reaches the readers, without an engine."""

import asyncio
import threading
import time

import pytest
from townsfolk.engine import outbox as outbox_module
from townsfolk.engine.generation import Generation
from townsfolk.engine.outbox import LOCK_SHARE, MOST_S, Outbox
from townsfolk.engine.output_queue import OutputQueue
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta, TokenInfo, Usage
from townsfolk.engine.unread import Unread

COMPLETION = Completion("", (), FinishReason.LENGTH, Usage(0, 0, 0, 0.0, 0.0, 0))


class Reader:
    """A caller's handle, and the queue to it."""

    def __init__(self):
        self.generation = Generation(lambda: None, lambda priority: None, Unread(1 << 20))
        loop = asyncio.get_running_loop()
        self.queue = OutputQueue(loop, self.generation, lambda: None)

    def has(self, outbox, text, token_id=0):
        outbox.put(self.queue, TextDelta(text, (TokenInfo(token_id),)))


@pytest.fixture
def outbox():
    return Outbox()


async def test_nothing_is_lost_and_nothing_changes_places(outbox):
    """An engine's thread that never rests, and readers of whom some are slow."""
    readers = [Reader() for number in range(40)]
    steps = 300

    def speak():
        for step in range(steps):
            for number, reader in enumerate(readers):
                if step >= number:  # they begin one after the other
                    reader.has(outbox, f"{step} ", step)
                if step == steps - 1:
                    outbox.put(reader.queue, COMPLETION)
            assert not outbox.flush()

    async def read(number, reader):
        text, tokens, pieces = "", [], 0
        async for delta in reader.generation:
            text += delta.text
            tokens += [token.token_id for token in delta.tokens]
            pieces += 1
            await asyncio.sleep(0.002 * (number % 3))
        expected = range(number, steps)
        assert tokens == list(expected)
        assert text == "".join(f"{step} " for step in expected)
        assert reader.generation.completion is COMPLETION
        return pieces

    thread = threading.Thread(target=speak)
    thread.start()
    pieces = await asyncio.gather(*(read(number, reader) for number, reader in enumerate(readers)))
    thread.join()
    assert max(pieces) < steps


async def test_a_lone_speaker_is_read_token_by_token(outbox):
    reader = Reader()
    for step in range(30):
        reader.has(outbox, f"{step}")
        outbox.flush()
        async with asyncio.timeout(300):
            assert (await anext(reader.generation)).text == f"{step}"
        await asyncio.sleep(2 * MOST_S)


async def test_readers_that_cost_much_leave_time_for_others(outbox):
    readers = [Reader() for number in range(32)]
    finished = threading.Event()
    clocks = []  # of the time that passes, and of this thread's own, after each delivery

    def speak():
        while not finished.wait(0.001):
            for reader in readers:
                reader.has(outbox, "x")
            outbox.flush()

    async def read(reader):
        async for _ in reader.generation:
            until = time.thread_time() + 0.0003
            while time.thread_time() < until:
                pass
            clocks.append((time.monotonic(), time.thread_time()))

    tasks = [asyncio.create_task(read(reader)) for reader in readers]
    thread = threading.Thread(target=speak)
    thread.start()
    while len(clocks) < 2500:
        await asyncio.sleep(0.01)
    finished.set()
    thread.join()
    for task in tasks:
        task.cancel()
    # By then their cost is known. Unpaced, they would take all the time there is.
    elapsed, spent = (b - a for a, b in zip(clocks[1500], clocks[2499], strict=True))
    assert spent / elapsed < (1 + LOCK_SHARE) / 2


async def test_who_begins_or_ends_does_not_wait_for_those_who_speak(monkeypatch):
    monkeypatch.setattr(outbox_module, "FIRST_S", 60.0)  # very slow until it is known better
    outbox = Outbox()
    crowd = [Reader() for number in range(20)]
    for _ in range(3):
        for reader in crowd:
            reader.has(outbox, "x")
        outbox.flush()
        await asyncio.sleep(0.01)
    newcomer = Reader()
    newcomer.has(outbox, "first")
    outbox.flush()
    assert (await anext(newcomer.generation)).text == "first"
    outbox.put(crowd[-1].queue, COMPLETION)
    outbox.flush()
    texts = [delta.text async for delta in crowd[-1].generation]
    assert "".join(texts) == "xxx"
    assert crowd[-1].generation.completion is COMPLETION
    assert sum(bool(reader.queue.events) for reader in crowd) >= len(crowd) - 2


async def test_requests_of_a_closed_loop_are_given_back(outbox):
    async def leave():
        return Reader(), Reader()

    told, new = await asyncio.to_thread(asyncio.run, leave())
    here = Reader()
    told.queue.urgent = False
    for reader in (told, new, here):
        reader.has(outbox, "x")
    assert {*outbox.flush()} == {told.queue, new.queue}
    assert (await anext(here.generation)).text == "x"
    assert not outbox.flush()


@pytest.mark.parametrize("begun", [False, True])
def test_a_loop_that_closes_before_it_looks_gives_its_requests_back(outbox, begun):
    loop = asyncio.new_event_loop()

    async def enter():
        return Reader()

    reader = loop.run_until_complete(enter())
    if begun:
        reader.has(outbox, "heard ")
        assert not outbox.flush()
        loop.run_until_complete(asyncio.sleep(0))
        assert not reader.queue.events
    reader.has(outbox, "never heard")
    assert not outbox.flush()  # the loop was told, and would look when it runs next
    loop.close()
    assert outbox.flush() == [reader.queue]
    assert not outbox.flush()
