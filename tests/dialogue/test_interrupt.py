"""Answers that are cut off: by an interruption, or by their deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from dialogue_session import (
    Start,
    events_of,
    finish,
    kinds,
    open_session,
    say,
    until_text,
)
from townsfolk.dialogue.errors import (
    InvalidFieldError,
    NotFoundError,
)
from townsfolk.dialogue.events import (
    TextDelta,
    TurnFailed,
    TurnFinished,
    TurnInterrupted,
)
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.engine.errors import DeadlineExceededError
from townsfolk.engine.outputs import FinishReason


class TestInterrupt:
    @pytest.mark.parametrize("heard", [0, 1, 5])
    async def test_the_transcript_keeps_exactly_what_was_heard(
        self, start: Start, heard: int
    ) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        said = await until_text(turn, 20)
        assert session.interrupt(turn.id, heard) == [turn.id]
        last = (await events_of(turn))[-1]
        assert isinstance(last, TurnInterrupted)
        assert last.text == said[:heard]
        assert 0 < last.usage.generated_tokens < 500
        entry = session.transcript[-1]
        assert (entry.kind, entry.text, entry.cut) == (EntryKind.SPOKE, said[:heard], True)

    async def test_without_a_number_all_that_was_generated_is_kept(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        await until_text(turn, 5)
        session.interrupt()
        events = await events_of(turn)
        deltas = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert isinstance(events[-1], TurnInterrupted)
        assert events[-1].text == deltas == session.transcript[-1].text

    async def test_the_character_knows_that_it_was_cut_off(
        self, start: Start, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start(), max_new_tokens=500)
        recorded = prompts(session)
        turn = say(session)
        said = (await until_text(turn, 20))[:7]
        session.interrupt(turn.id, 7)
        await finish(say(session, "Stop!", sampling={"max_new_tokens": 4}))
        assert f"{said.rstrip()} —" in recorded[-1]

    async def test_the_kv_before_the_cut_stays(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        await until_text(turn, 60)
        session.interrupt(turn.id)
        last = (await events_of(turn))[-1]
        assert isinstance(last, TurnInterrupted)
        after = await finish(say(session, "Stop!", sampling={"max_new_tokens": 4}))
        assert after.usage.cached_tokens > last.usage.prompt_tokens + 10

    async def test_all_turns_at_once(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turns = [say(session, f"Line {number}") for number in range(3)]
        await until_text(turns[0])
        assert session.interrupt() == [turn.id for turn in turns]
        ends = [(await events_of(turn))[-1] for turn in turns]
        assert all(isinstance(end, TurnInterrupted) for end in ends)
        assert [end.text for end in ends[1:]] == ["", ""]
        assert kinds(session) == ["heard", "spoke"]  # nobody heard those that waited

    async def test_while_its_prompt_is_made(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a thread, as the line is long."""
        session = open_session(start(context=8192), max_new_tokens=500)
        begun, go_on = threading.Event(), threading.Event()
        fit = session._window.fit

        def slowly(*args: Any) -> Any:
            begun.set()
            assert go_on.wait(60)
            return fit(*args)

        monkeypatch.setattr(session._window, "fit", slowly)
        turn = say(session, "word " * 2000)
        assert await asyncio.to_thread(begun.wait, 60)
        assert session.interrupt(turn.id) == [turn.id]
        go_on.set()
        last = (await events_of(turn))[-1]
        assert isinstance(last, TurnInterrupted)
        assert last.text == ""
        await finish(say(session, "Hello?", sampling={"max_new_tokens": 2}))

    async def test_one_that_waits(self, start: Start) -> None:
        session = open_session(start())
        first, second, third = (say(session, f"Line {number}") for number in range(3))
        assert session.interrupt(second.id, 3) == [second.id]
        assert len(await events_of(second)) == 1
        await finish(first)
        await finish(third)
        assert [e.text for e in session.transcript if e.kind is EntryKind.HEARD] == [
            "Line 0",
            "Line 2",
        ]

    @pytest.mark.parametrize("by_id", [True, False])
    async def test_an_answer_that_is_still_being_heard(
        self, start: Start, by_id: bool, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start())
        recorded = prompts(session)
        turn = say(session)
        text = (await finish(turn)).text
        assert session.interrupt(turn.id if by_id else "", 4) == [turn.id]
        assert (session.transcript[-1].text, session.transcript[-1].cut) == (text[:4], True)
        assert session.interrupt(turn.id, 10) == []  # it never grows again
        assert session.transcript[-1].text == text[:4]
        await finish(say(session, "Stop!"))
        assert f"{text[:4].rstrip()} —" in recorded[-1]

    async def test_an_answer_that_was_heard_to_its_end_is_not_cut(self, start: Start) -> None:
        session = open_session(start())
        turn = say(session)
        text = (await finish(turn)).text
        assert session.interrupt(turn.id, len(text)) == []
        assert session.interrupt(turn.id) == []
        assert session.interrupt() == []
        assert not session.transcript[-1].cut

    async def test_refusals(self, start: Start) -> None:
        session = open_session(start())
        assert session.interrupt() == []
        with pytest.raises(NotFoundError, match="'nobody'"):
            session.interrupt("nobody")
        with pytest.raises(InvalidFieldError, match="heard_characters"):
            session.interrupt(heard_characters=-1)

    async def test_a_reader_that_leaves_interrupts(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        async with aclosing(aiter(turn)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        await finish(say(session, sampling={"max_new_tokens": 2}))
        entry = session.transcript[1]
        assert entry.cut
        assert entry.text.startswith(event.text)

    async def test_a_plain_break_interrupts_too(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        async for event in turn:
            if isinstance(event, TextDelta):
                break
        await finish(say(session, sampling={"max_new_tokens": 2}))
        assert turn.is_over
        assert session.transcript[1].cut

    async def test_a_cancelled_reader_interrupts(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        reader = asyncio.create_task(events_of(turn))
        await until_text(turn)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await finish(say(session, sampling={"max_new_tokens": 2}))
        assert session.transcript[1].cut


class TestDeadline:
    async def test_what_was_said_until_then_is_kept(self, start: Start) -> None:
        session = open_session(start(context=8192), max_new_tokens=7000)
        controls = session._model.tokenizer.special_tokens.values()
        never = {"logit_bias": dict.fromkeys(controls, -100.0)}
        # Twice as long each time: one in which a token comes ends long before the reply does.
        for doublings in range(12):
            turn = say(session, deadline_ms=50 * 2**doublings, sampling=never)
            last = (await events_of(turn))[-1]
            if isinstance(last, TurnFinished):
                break
        assert last.finish_reason is FinishReason.DEADLINE
        assert session.transcript[-1].text == last.text
        assert session.transcript[-1].cut

    async def test_a_turn_that_waits_too_long_fails_in_time(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=900)
        first = say(session)
        second = say(session, deadline_ms=1)
        last = (await events_of(second))[-1]
        assert isinstance(last, TurnFailed)
        assert isinstance(last.error, DeadlineExceededError)
        assert not first.is_over
        session.interrupt()
        await events_of(first)
        assert kinds(session) == ["heard", "spoke"]
