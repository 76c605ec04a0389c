"""A session over a real engine with a tiny random model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from dialogue_session import (
    STYLES,
    Start,
    events_of,
    finish,
    kinds,
    open_session,
    say,
    until_text,
)
from townsfolk.dialogue.errors import (
    AlreadyExistsError,
    InvalidFieldError,
    LimitReachedError,
)
from townsfolk.dialogue.events import (
    ContextTrimmed,
    Notified,
    PriorityUpdated,
    SentenceCompleted,
    TextDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from townsfolk.dialogue.limits import MAX_WAITING_TURNS
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.engine.errors import EngineClosedError
from townsfolk.engine.outputs import FinishReason


def only(session: Session, letters: str) -> dict[str, Any]:
    """Sampling that draws nothing but these letters, evenly."""
    ids = [session._model.tokenizer.encode(letter)[-1] for letter in letters]
    return {"logit_bias": dict.fromkeys(ids, 100.0), "seed": 5, "temperature": 5.0}


class TestTurns:
    @pytest.mark.parametrize("style", STYLES)
    async def test_a_turn_starts_speaks_and_finishes(self, start: Start, style: str | None) -> None:
        session = open_session(start(style))
        events = await events_of(say(session))
        deltas = [event.text for event in events if isinstance(event, TextDelta)]
        sentences = [event for event in events if isinstance(event, SentenceCompleted)]
        last = events[-1]
        assert isinstance(events[0], TurnStarted)
        assert isinstance(last, TurnFinished)
        assert {event.turn_id for event in events} == {"turn-1"}
        assert "".join(deltas) == last.text == last.text.strip()
        assert [sentence.index for sentence in sentences] == list(range(len(sentences)))
        assert {sentence.speaker for sentence in sentences} == {"Mira"}
        spans = [(each.offset, each.offset + each.length) for each in sentences]
        for sentence, (begin, end) in zip(sentences, spans, strict=True):
            shown = last.text[begin:end]
            assert (shown[0], shown[-1]) == (sentence.text[0], sentence.text[-1])
        assert spans == sorted(spans)
        assert last.usage.generated_tokens <= 16
        heard, spoke = session.transcript
        assert (heard.kind, heard.speaker, heard.text) == (EntryKind.HEARD, "Player", "Hello!")
        assert (spoke.kind, spoke.speaker, spoke.text) == (EntryKind.SPOKE, "Mira", last.text)
        assert heard.turn_id == spoke.turn_id == "turn-1"
        assert not spoke.cut

    @pytest.mark.parametrize("style", STYLES)
    async def test_a_turn_reuses_all_kv_of_earlier_turns(
        self, start: Start, style: str | None
    ) -> None:
        # No sentence before the limit ends the answer: what came behind it would be no part of it.
        session = open_session(start(style), sampling={"min_new_tokens": 16})
        before = (await finish(say(session, "Hello number 0."))).usage
        for number in range(1, 6):
            usage = (await finish(say(session, f"Hello number {number}."))).usage
            # The last token drawn was never computed; with it may go its unfinished character.
            computed = before.prompt_tokens + before.generated_tokens - 1
            assert computed - 4 <= usage.cached_tokens <= computed
            before = usage

    async def test_turns_queue_up_and_are_answered_in_order(
        self, start: Start, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start())
        recorded = prompts(session)
        turns = [say(session, f"Line {number}", speaker="Anna") for number in range(4)]
        assert session.queued_turns == 4
        finished = [await finish(turn) for turn in turns]
        assert [entry.text for entry in session.transcript[1::2]] == [f.text for f in finished]
        assert [text.count("Anna: Line") for text in recorded] == [1, 2, 3, 4]

    async def test_the_turn_under_way_is_told(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=200)
        turn = say(session, turn_id="greeting")
        say(session)
        await until_text(turn)
        assert (session.current_turn_id, session.queued_turns) == ("greeting", 1)
        assert session.transcript[-1].cut
        await finish(turn)

    async def test_too_many_turns_are_refused(self, start: Start) -> None:
        session = open_session(start())
        turns = [say(session) for _ in range(MAX_WAITING_TURNS)]
        with pytest.raises(LimitReachedError, match=str(MAX_WAITING_TURNS)):
            say(session)
        await finish(turns[0])
        say(session)

    async def test_a_turn_id_is_used_once(self, start: Start) -> None:
        session = open_session(start())
        turn = say(session, turn_id="turn-1")
        with pytest.raises(AlreadyExistsError, match="'turn-1'"):
            say(session, turn_id="turn-1")
        await finish(turn)
        with pytest.raises(AlreadyExistsError, match="'turn-1'"):
            say(session, turn_id="turn-1")
        assert say(session).id == "turn-2"

    async def test_a_slow_reader_loses_nothing(self, start: Start) -> None:
        session = open_session(start())
        first, second = say(session), say(session)
        await finish(second)  # the first has not been read at all
        events = await events_of(first)
        assert isinstance(events[0], TurnStarted)
        assert isinstance(events[-1], TurnFinished)
        assert await events_of(first) == []

    async def test_text_that_nobody_has_read_waits_in_one_piece(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=60)
        waits, turn = say(session), say(session)
        await finish(turn)
        events = await events_of(waits)
        assert any(isinstance(event, TextDelta) for event in events)
        for one, next_one in pairwise(events):
            if isinstance(one, TextDelta) and isinstance(next_one, TextDelta):
                assert one.is_direction != next_one.is_direction
        joined = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert joined == waits.text

    async def test_an_answer_ends_where_somebody_else_would_go_on(self, start: Start) -> None:
        """With a bias towards nothing else, the model can only open another line or turn."""
        session = open_session(start(), max_new_tokens=100)
        vocabulary = session._model.tokenizer
        header = vocabulary.special_tokens["<|start_header_id|>"]
        last = await finish(say(session, sampling={"logit_bias": {header: 100.0}}))
        assert (last.text, last.finish_reason) == ("", FinishReason.END)
        reasons = set()
        for seed in range(8):
            sampling = only(session, "\nQ:x") | {"seed": seed}
            last = await finish(say(session, speaker="Q", sampling=sampling))
            assert "\nQ:" not in last.text
            reasons.add(last.finish_reason)
        assert FinishReason.END in reasons
        assert session.transcript[-1].text == last.text

    @pytest.mark.parametrize("minimum", [0, 60])
    async def test_the_callers_stops_push_no_guard_out(self, start: Start, minimum: int) -> None:
        session = open_session(start(), max_new_tokens=100)
        sampling = only(session, "\nQ:x") | {
            "stop": tuple(f"never {n}" for n in range(16)),
            "stop_token_ids": tuple(range(300, 364)),
            "min_new_tokens": minimum,
        }
        for seed in range(8):
            last = await finish(say(session, speaker="Q", sampling=sampling | {"seed": seed}))
            assert "\nQ:" not in last.text

    async def test_who_spoke_before_or_waits_ends_an_answer_too(self, start: Start) -> None:
        history = [
            {"kind": "heard", "speaker": "Q", "text": "Hello"},
            {"kind": "spoke", "speaker": "Mira", "text": "Welcome"},
        ]
        session = open_session(start(), history=history, max_new_tokens=100)
        waits = open_session(start(), max_new_tokens=100)
        for seed in range(8):
            turns = [
                say(each, speaker="Anna", sampling=only(each, "\nQ:x") | {"seed": seed})
                for each in (session, waits)
            ]
            say(waits, speaker="Q", sampling={"max_new_tokens": 1})
            for turn in turns:
                assert "\nQ:" not in (await finish(turn)).text

    async def test_a_model_that_begins_as_somebody_else_gets_the_characters_label(
        self, start: Start, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start())
        recorded = prompts(session)
        sampling = only(session, "Q:") | {"logprobs": 0, "max_new_tokens": 8}
        for seed in range(20):
            recorded.clear()
            turn = say(session, speaker="Q", sampling=sampling | {"seed": seed})
            events = await events_of(turn)
            last = events[-1]
            assert isinstance(last, TurnFinished)
            assert not last.text.startswith("Q:")
            tokens = [t for event in events if isinstance(event, TextDelta) for t in event.tokens]
            assert len(tokens) == last.usage.generated_tokens
            assert len([event for event in events if isinstance(event, TurnStarted)]) == 1
            if len(recorded) == 2 and last.text:
                assert recorded[1] == recorded[0] + "Mira:"
                return
        pytest.fail("no reply began with the label")

    async def test_a_reply_that_nears_its_limit_ends_with_a_sentence(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=60)
        early = []
        for seed in range(8):
            sampling = only(session, " a.B") | {"seed": seed}
            last = await finish(say(session, sampling=sampling))
            assert last.finish_reason is FinishReason.LENGTH
            assert last.usage.generated_tokens >= 30
            if last.usage.generated_tokens < 60:
                early.append(last.text)
        assert early
        assert {text[-1] for text in early} == {"."}

    async def test_a_closed_engine_fails_the_turn_not_the_session(self, start: Start) -> None:
        session = open_session(start())
        await session._model.engine.aclose()
        events = await events_of(say(session))
        assert isinstance(events[-1], TurnFailed)
        assert isinstance(events[-1].error, EngineClosedError)
        assert session.transcript == ()
        assert session.queued_turns == 0


class TestSampling:
    async def test_turn_over_session_over_model(self, start: Start) -> None:
        session = open_session(start(), sampling={"seed": 7})
        same = [open_session(start(), sampling={"seed": seed}) for seed in (7, 8)]
        texts = [(await finish(say(s))).text for s in (session, *same)]
        assert texts[0] == texts[1] != texts[2]
        usage = (await finish(say(session, sampling={"seed": 8, "max_new_tokens": 3}))).usage
        assert (usage.seed, usage.generated_tokens) == (8, 3)

    async def test_log_probabilities_come_with_the_text(self, start: Start) -> None:
        session = open_session(start())
        events = await events_of(say(session, sampling={"logprobs": 2}))
        tokens = [t for event in events if isinstance(event, TextDelta) for t in event.tokens]
        last = events[-1]
        assert isinstance(last, TurnFinished)
        assert len(tokens) == last.usage.generated_tokens
        assert all(len(token.top) == 2 for token in tokens)
        plain = await events_of(say(session))
        assert not any(event.tokens for event in plain if isinstance(event, TextDelta))

    @pytest.mark.parametrize(
        ("sampling", "message"),
        [
            ({"temperature": 6.0}, r"sampling\.temperature must be from 0 to 5"),
            ({"max_new_tokens": 2000}, r"sampling\.max_new_tokens must be from 1 to 1024"),
            ({"min_new_tokens": 20}, r"sampling\.min_new_tokens must be .* from 0 to 16"),
            ({"stop_token_ids": (999_999,)}, r"sampling\.stop_token_ids must be"),
        ],
    )
    async def test_a_refusal_names_field_and_range(
        self, start: Start, sampling: dict[str, Any], message: str
    ) -> None:
        sessions = start()
        with pytest.raises(InvalidFieldError, match=message):
            open_session(sessions, sampling=sampling)
        session = open_session(sessions)
        with pytest.raises(InvalidFieldError, match=message):
            say(session, sampling=sampling)
        await finish(say(session))


class TestWorld:
    async def test_events_are_known_to_the_next_answer(
        self, start: Start, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start())
        recorded = prompts(session)
        assert session.notify("The door opens") == Notified("The door opens")
        await finish(say(session, speaker="Anna"))
        assert "[The door opens]\nAnna: Hello!" in recorded[0]
        assert kinds(session) == ["event", "heard", "spoke"]

    async def test_what_happens_during_an_answer_comes_after_it(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500)
        turn = say(session)
        await until_text(turn)
        session.notify("Thunder")
        assert kinds(session) == ["heard", "spoke", "event"]
        session.interrupt()
        await events_of(turn)
        assert kinds(session) == ["heard", "spoke", "event"]

    @pytest.mark.parametrize("text", ["", " \n", "x" * 4097])
    async def test_refusals(self, start: Start, text: str) -> None:
        session = open_session(start())
        with pytest.raises(InvalidFieldError, match="1 to 4096"):
            session.notify(text)
        assert session.transcript == ()

    async def test_priority(self, start: Start) -> None:
        session = open_session(start(), max_new_tokens=500, priority=3)
        turn = say(session)
        await until_text(turn)
        assert session.set_priority(50) == PriorityUpdated(50)
        assert session.config.priority == 50
        with pytest.raises(InvalidFieldError, match="-100 to 100"):
            session.set_priority(101)
        session.interrupt()
        await events_of(turn)

    async def test_a_new_priority_holds_for_the_answer_under_way(self, start: Start) -> None:
        """With room for one in the batch, who has become more important goes first."""
        sessions = start(engine={"max_batch": 1})
        first, low, high = (open_session(sessions, max_new_tokens=n) for n in (900, 100, 100))
        blocking = say(first)
        await until_text(blocking)
        waiting, favoured = say(low), say(high)
        while first._model.engine.stats().waiting < 2:
            await asyncio.sleep(0.002)
        high.set_priority(100)
        first.interrupt()
        await events_of(favoured)
        assert not waiting.is_over
        await finish(waiting)


class TestOverflow:
    async def test_a_session_never_dies_of_length(
        self, start: Start, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start(context=512), persona={"description": "The one innkeeper."})
        recorded = prompts(session)
        trims, previous, reused = 0, None, 0
        for number in range(40):
            known = session.transcript
            events = await events_of(say(session, f"This is line number {number}."))
            last = events[-1]
            assert isinstance(last, TurnFinished)
            assert "The one innkeeper." in recorded[-1]
            assert f"This is line number {number}." in recorded[-1]
            if isinstance(events[0], ContextTrimmed):
                trims += 1
                dropped = events[0].dropped
                assert dropped == known[: len(dropped)]
                kept = known[len(dropped) :]
                assert session.transcript[: len(kept)] == kept
                assert dropped[0].text not in recorded[-1]
            elif previous is not None:
                assert last.usage.cached_tokens >= previous.prompt_tokens - 4
                reused += 1
            # Behind an answer of no words, the next line joins the one before it.
            previous = last.usage if last.text else None
        assert trims >= 2
        assert reused >= 2 * trims  # most turns find the KV of the one before

    @pytest.mark.parametrize("style", ["llama2", "mistral", None])
    async def test_what_is_left_still_takes_turns(self, start: Start, style: str | None) -> None:
        session = open_session(start(style, context=512))
        for number in range(25):
            await finish(say(session, f"This is line number {number}."))
        assert kinds(session)[0] == "heard"

    @pytest.mark.parametrize("style", ["llama3", "mistral", None])
    @pytest.mark.parametrize("count", [40, 100])
    async def test_of_many_unanswered_lines_the_newest_stay(
        self, start: Start, style: str | None, count: int, prompts: Callable[[Session], list[str]]
    ) -> None:
        session = open_session(start(style, context=512))
        recorded = prompts(session)
        for number in range(count):
            session.notify(f"Bell number {number} rings")
        events = await events_of(say(session, "What was that?"))
        assert isinstance(events[0], ContextTrimmed)
        dropped = len(events[0].dropped)
        assert f"[Bell number {dropped - 1} rings]" not in recorded[0]
        for number in range(dropped, count):
            assert f"[Bell number {number} rings]" in recorded[0]
        assert isinstance(events[-1], TurnFinished)
        room = 512 - 16
        assert room // 2 < events[-1].usage.prompt_tokens <= room * 3 // 4
        assert len(session.transcript) == count - dropped + 2

    async def test_lines_that_were_cut_off_before_an_answer_go_one_by_one(
        self, start: Start
    ) -> None:
        session = open_session(start(context=512))
        for number in range(40):
            turn = say(session, f"Listen to me, number {number}!")
            while turn.generation is None:
                await asyncio.sleep(0)
            session.interrupt(turn.id, 0)
            await events_of(turn)
        last = await finish(say(session, "What did I say?"))
        assert last.usage.prompt_tokens > 150
        assert [e.text for e in session.transcript if e.text.startswith("Listen")][-1].endswith(
            "39!"
        )

    async def test_a_line_that_fits_into_all_the_room_only_is_kept(self, start: Start) -> None:
        session = open_session(start(context=512), max_new_tokens=4)
        each = len(session._model.tokenizer.encode("word " * 100)) / 100  # tokens of a word
        session.notify("first " + "word " * round(380 / each))
        session.notify("x " + "word " * round(100 / each))
        # Together nine tenths of the room; three quarters is what is wanted.
        most = 0.9 * 508 - 100 - session._window.system_tokens - 40
        last = await finish(say(session, "word " * round(most / each)))
        assert last.usage.prompt_tokens > 0.75 * 508
        assert session.transcript[0].text.startswith("x ")

    async def test_a_question_that_pushes_all_else_out_is_kept(self, start: Start) -> None:
        sessions = start(context=512)
        pushed_out = 0
        for words in range(30, 120, 2):
            session = open_session(
                sessions,
                history=[{"kind": "heard", "text": "word " * 20}],
                actions=[{"name": "wave"}, {"name": "bow"}],
            )
            question = ("word " * words).strip()
            turn = say(session, question, actions={"names": ["wave"]})
            events = await events_of(turn)
            await session.close()
            if isinstance(events[-1], TurnFailed):
                break  # too long for the context
            assert question in [entry.text for entry in session.transcript]
            pushed_out += isinstance(events[0], ContextTrimmed)
        assert pushed_out > 0

    async def test_what_the_character_says_unasked_may_come_first(self, start: Start) -> None:
        history = [{"kind": "spoke", "text": f"And then, part {n} of my story."} for n in range(60)]
        session = open_session(start(context=512), history=history)
        events = await events_of(say(session, "Go on!"))
        assert isinstance(events[0], ContextTrimmed)
        assert kinds(session).count("spoke") > 10

    async def test_a_long_saved_game_is_no_burden(self, start: Start) -> None:
        history = [
            {"kind": kind, "text": f"Line {number} of a very long story. " * 20}
            for number in range(5000)
            for kind in ("heard", "spoke")
        ]
        session = open_session(start(), history=history)
        events = await events_of(say(session, "Go on!"))
        assert isinstance(events[0], ContextTrimmed)
        assert isinstance(events[-1], TurnFinished)
        assert 0 < len(session.transcript) < 20
        assert len(events[0].dropped) + len(session.transcript) == 10_002
        with pytest.raises(InvalidFieldError, match=r"history: .* at most 10000 lines"):
            open_session(start(), history=[*history, history[0]])

    async def test_too_long_a_line_is_an_error_and_nothing_is_lost(self, start: Start) -> None:
        session = open_session(start(context=512))
        await finish(say(session))
        known = session.transcript
        events = await events_of(say(session, "word " * 2000))
        assert [type(event) for event in events] == [TurnFailed]
        error = events[0].error
        assert isinstance(error, InvalidFieldError)
        assert "text: " in str(error)
        assert "at most 496" in str(error)
        assert session.transcript == known
        await finish(say(session))

    async def test_too_long_a_persona_is_refused(self, start: Start) -> None:
        sessions = start(context=512)
        with pytest.raises(InvalidFieldError, match=r"persona: .* at most 256"):
            open_session(sessions, persona={"description": "word " * 500})
        assert sessions.list() == []
