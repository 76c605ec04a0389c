"""What nobody reads has a limit, of one reader and of all."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from townsfolk.engine import unread
from townsfolk.engine.errors import UnreadLimitError
from townsfolk.engine.unread import Unread
from townsfolk.sampling import SamplingParams

CHATTY = SamplingParams(max_new_tokens=64, min_new_tokens=64, logprobs=20)


@pytest.fixture
def strict(monkeypatch) -> None:
    monkeypatch.setattr(unread, "MOST_OF_ONE", 50_000)
    monkeypatch.setattr(unread, "_LITTLE", 0)


def test_a_reader_has_a_limit() -> None:
    reader = Unread(100)
    reader.add(100)
    with pytest.raises(UnreadLimitError, match="100 bytes"):
        reader.add(unread._LITTLE)


def test_all_together_have_a_limit_that_spares_who_reads(monkeypatch) -> None:
    monkeypatch.setattr(unread, "_LITTLE", 10)
    everybody = Unread(100)
    silent, attentive = everybody.reader(), everybody.reader()
    silent.add(95)
    attentive.add(10)
    with pytest.raises(UnreadLimitError):
        silent.add(1)
    silent.take(50)
    silent.add(1)
    assert everybody.held == 57


def test_a_reader_that_is_gone_counts_no_more() -> None:
    everybody = Unread(100)
    stream = Unread(100, within=everybody)
    answer = Unread(100, within=stream)
    answer.add(60)
    del answer
    assert (stream.held, everybody.held) == (0, 0)


async def test_a_reply_that_nobody_reads_ends(start, strict) -> None:
    engine = start()
    generation = engine.submit([1, 2], CHATTY)
    while engine.stats().requests_total == 0:
        await asyncio.sleep(0.005)
    with pytest.raises(UnreadLimitError, match="50000"):
        await anext(generation)
    assert engine.unread.held == 0
    await engine.check()


async def test_a_reply_that_is_read_or_awaited_as_a_whole_goes_on(start, strict) -> None:
    engine = start()
    read = [delta async for delta in engine.submit([1, 2], CHATTY)]
    assert sum(len(delta.tokens) for delta in read) == 64
    assert len((await engine.generate([1, 2], CHATTY)).token_ids) == 64
    assert engine.unread.held == 0


async def test_memory_on_the_cpu_is_what_the_process_has(start) -> None:
    engine = start()
    resident = psutil.Process().memory_info().rss / 2**20
    assert abs(engine.stats().memory_used_mib - resident) < 64
