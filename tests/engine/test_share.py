"""One engine under several games: what each has of it, and what none can do to another."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field, replace

import pytest
from townsfolk.engine import EngineOverloadedError, ModelState
from townsfolk.engine.adapter_info import AdapterInfo
from townsfolk.engine.open_requests import OpenRequests
from townsfolk.engine.pacing import FrameReport, PacePolicy
from townsfolk.engine.share import SharedEngine
from townsfolk.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0, max_new_tokens=8, min_new_tokens=8)


async def test_shares_answer_as_the_engine_does_and_have_no_kv_in_common(start, prompts):
    engine = start()
    shared = SharedEngine(engine)
    one, other = await shared.join(), await shared.join()
    alone = await engine.generate(prompts[6], GREEDY)
    said = [await share.submit(prompts[6], GREEDY).result() for share in (one, one, other)]
    assert {reply.token_ids for reply in said} == {alone.token_ids}
    cached = [reply.usage.cached_tokens for reply in said]
    assert cached[1] > 0
    assert (cached[0], cached[2]) == (0, 0)
    await one.aclose()
    assert (await other.submit(prompts[6], GREEDY).result()).token_ids == alone.token_ids


async def test_memory_is_given_back_once_all_have_released_it(start, prompts):
    engine = start()
    shared = SharedEngine(engine)
    one, other = await shared.join(), await shared.join()
    await one.release()
    assert engine.stats().model_state is ModelState.LOADED
    await other.submit(prompts[3], GREEDY).result()
    await other.release(until_warm=True)
    assert engine.stats().model_state is ModelState.RELEASED
    await one.submit(prompts[3], GREEDY).result()  # one of them did not say: until it is warm
    assert engine.stats().model_state is ModelState.LOADED


async def test_a_loading_screen_that_is_left_alone_gives_the_memory_back(start):
    engine = start()
    shared = SharedEngine(engine)
    one, other = await shared.join(), await shared.join()
    await one.release(until_warm=True)
    await other.aclose()
    assert engine.stats().model_state is ModelState.RELEASED
    await one.warm()
    assert engine.stats().model_state is ModelState.LOADED


async def test_a_newcomer_finds_the_model_loaded(start, prompts):
    engine = start()
    shared = SharedEngine(engine)
    one = await shared.join()
    await one.release(until_warm=True)
    assert engine.stats().model_state is ModelState.RELEASED
    other = await shared.join()
    assert (await other.submit(prompts[3], GREEDY).result()).token_ids
    assert engine.stats().model_state is ModelState.LOADED


def test_there_is_always_room_for_another_game():
    requests = OpenRequests(12)
    numbers = itertools.count()

    def taken(domain: str) -> int:
        """How many more requests a game gets in."""
        for count in itertools.count():
            try:
                requests.add(next(numbers), object(), lambda: None, domain)
            except EngineOverloadedError:
                return count
        raise AssertionError

    assert [taken("one"), taken("other")] == [6, 3]
    assert taken("third") > 0
    for number in range(6):
        requests.remove(number)
    assert taken("other") > 0
    with pytest.raises(EngineOverloadedError, match="of this game"):
        requests.add(next(numbers), object(), lambda: None, "other")


def test_one_game_alone_has_all_the_room_there_is():
    requests = OpenRequests(12)
    for number in range(12):
        requests.add(number, object(), lambda: None)
    with pytest.raises(EngineOverloadedError, match=r"\(max_batch \+ max_waiting\)"):
        requests.add(12, object(), lambda: None)


@dataclass
class Shelf:
    """Adapters of an engine, as far as shares use them."""

    loaded: set[str] = field(default_factory=set)

    async def need(self, name: str) -> AdapterInfo | None:
        self.loaded.add(name)

    load = need

    async def unload(self, name: str) -> None:
        self.loaded.remove(name)


@dataclass
class Noting:
    """An engine of which only this is asked."""

    adapters: Shelf = field(default_factory=Shelf)
    reports: list[FrameReport] = field(default_factory=list)

    def report_frames(self, report: FrameReport) -> None:
        self.reports.append(report)


async def test_no_game_takes_anothers_adapter_away():
    engine = Noting()
    shared = SharedEngine(engine)
    one, other = await shared.join(), await shared.join()
    await one.adapters.need("pirate")
    await other.adapters.load("pirate")
    await one.adapters.unload("pirate")
    assert engine.adapters.loaded == {"pirate"}
    await other.adapters.unload("pirate")
    assert engine.adapters.loaded == set()


async def test_games_whose_frames_have_the_same_name_are_told_apart():
    engine = Noting()
    shared = SharedEngine(engine)
    report = FrameReport("main", time.monotonic(), 0.0, 1 / 60, PacePolicy.BALANCED)
    for share in (await shared.join(), await shared.join()):
        share.report_frames(report)
    assert len({told.reporter for told in engine.reports}) == 2
    assert [replace(told, reporter="main") for told in engine.reports] == [report, report]
