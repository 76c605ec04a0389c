"""Answers that nobody reads end, and hurt nobody."""

import asyncio
import gc

from dialogue_session import Start, finish, open_session, say
from townsfolk.dialogue.events import TurnFailed
from townsfolk.engine import unread
from townsfolk.engine.errors import UnreadLimitError

REPORTED = {"logprobs": 20, "min_new_tokens": 60, "max_new_tokens": 60}


async def test_answers_that_nobody_reads_end_and_hurt_nobody(start: Start, monkeypatch) -> None:
    monkeypatch.setattr(unread, "MOST_OF_ONE", 50_000)
    monkeypatch.setattr(unread, "_LITTLE", 10_000)
    sessions = start()
    silent = open_session(sessions, sampling=REPORTED)
    turns = [say(silent, f"Question {n}?") for n in range(3)]
    while silent.current_turn_id or silent.queued_turns:
        await asyncio.sleep(0.005)
    engine = silent._model.engine
    assert 50_000 < engine.unread.held < 3 * 60_000
    attentive = open_session(sessions, sampling=REPORTED)
    assert (await finish(say(attentive))).usage.generated_tokens == 60
    ends = [[event async for event in turn][-1] for turn in turns]
    assert all(isinstance(end, TurnFailed) for end in ends)
    assert all(isinstance(end.error, UnreadLimitError) for end in ends)
    assert engine.unread.held == 0
    assert (await finish(say(silent))).usage.generated_tokens == 60  # it lives on
    assert silent.transcript[1].cut
    left = say(silent)
    while silent.current_turn_id or silent.queued_turns:
        await asyncio.sleep(0.005)
    del left, turns, ends
    gc.collect()
    assert engine.unread.held == 0
