"""What has a character speak besides what it is told, and the lines of a script."""

from __future__ import annotations

from collections.abc import Callable
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
from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.errors import AlreadyExistsError, InvalidFieldError, LimitReachedError
from townsfolk.dialogue.events import ContextTrimmed, TurnFailed, TurnInterrupted
from townsfolk.dialogue.script import MAX_LINES, ScriptLines
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.dialogue.turn import Turn, TurnCue, Utterance
from townsfolk.text.tokenizer import Tokenizer

Prompts = Callable[[Session], list[str]]
LONG = {"min_new_tokens": 200, "max_new_tokens": 200}


def greet(session: Session, **fields: Any) -> Turn:
    return session.say(Utterance.checked(cue=TurnCue.NONE, **fields))


def react(session: Session, event: str, **fields: Any) -> Turn:
    return session.say(Utterance.checked(cue=TurnCue.EVENT, text=event, **fields))


def record(session: Session, *lines: tuple[str, str]) -> None:
    session.record(ScriptLines.checked(lines=[{"kind": k, "text": t} for k, t in lines]))


def spoken(text: str, turn_id: str = "") -> TranscriptEntry:
    return TranscriptEntry(kind=EntryKind.SPOKE, speaker="Mira", text=text, turn_id=turn_id)


class TestTurnsOfTheirOwnAccord:
    @pytest.mark.parametrize("style", STYLES)
    async def test_a_character_speaks_first_and_is_answered(
        self, start: Start, style: str | None, prompts: Prompts
    ) -> None:
        session = open_session(start(style))
        recorded = prompts(session)
        greeting = await finish(greet(session))
        assert session.transcript == (spoken(greeting.text, "turn-1"),)
        assert recorded[0].count("[You speak first.]") == 1
        await finish(say(session, "Hello!"))
        assert kinds(session) == ["spoke", "heard", "spoke"]
        assert recorded[1].count("[You speak first.]") == 1

    @pytest.mark.parametrize("style", STYLES)
    async def test_all_kv_of_a_greeting_is_used_again(
        self, start: Start, style: str | None
    ) -> None:
        session = open_session(start(style), sampling={"min_new_tokens": 16})
        turns = [greet, greet, lambda s: say(s, "Hello!"), lambda s: react(s, "A bell."), greet]
        before = (await finish(turns[0](session))).usage
        for begin in turns[1:]:
            usage = (await finish(begin(session))).usage
            computed = before.prompt_tokens + before.generated_tokens - 1
            assert computed - 4 <= usage.cached_tokens <= computed
            before = usage

    @pytest.mark.parametrize("style", ["llama2", None])
    async def test_an_event_has_an_answer(
        self, start: Start, style: str | None, prompts: Prompts
    ) -> None:
        session = open_session(start(style))
        recorded = prompts(session)
        answer = await finish(react(session, "The door\nopens."))
        event, spoke = session.transcript
        assert (event.kind, event.speaker, event.text) == (
            EntryKind.EVENT, "", "The door\nopens.",
        )  # fmt: skip
        assert event.turn_id == spoke.turn_id == "turn-1"
        assert spoke.text == answer.text
        assert "[The door opens.]" in recorded[0]

    async def test_what_nobody_answered_yet_is_gone_on_from(
        self, start: Start, prompts: Prompts
    ) -> None:
        session = open_session(start())
        recorded = prompts(session)
        session.notify("Tom comes in.")
        await finish(greet(session))
        assert "[Tom comes in.]" in recorded[0]
        assert "You speak" not in recorded[0]
        assert kinds(session) == ["event", "spoke"]

    async def test_who_spoke_last_speaks_again(self, start: Start, prompts: Prompts) -> None:
        session = open_session(start())
        recorded = prompts(session)
        await finish(say(session))
        await finish(greet(session))
        assert recorded[1].count("[You speak again.]") == 1
        assert kinds(session) == ["heard", "spoke", "spoke"]

    async def test_what_happens_meanwhile_comes_after(self, start: Start) -> None:
        session = open_session(start(), sampling=LONG)
        session.notify("It is dawn.")
        turn = greet(session)
        await until_text(turn)
        session.notify("It rains.")
        record(session, ("spoke", "Rain again."))
        assert kinds(session) == ["event", "spoke", "event", "spoke"]
        session.interrupt()
        await events_of(turn)
        assert kinds(session) == ["event", "spoke", "event", "spoke"]
        assert session.transcript[1].cut

    @pytest.mark.parametrize("begin", [greet, lambda session: react(session, "A bell rings.")])
    async def test_one_that_is_cut_keeps_what_was_heard(
        self, start: Start, begin: Callable[[Session], Turn]
    ) -> None:
        session = open_session(start(), sampling=LONG)
        turn = begin(session)
        text = await until_text(turn, 12)
        session.interrupt(turn.id, 7)
        assert isinstance((await events_of(turn))[-1], TurnInterrupted)
        assert (session.transcript[-1].text, session.transcript[-1].cut) == (text[:7], True)

    @pytest.mark.parametrize("begin", [greet, lambda session: react(session, "A bell rings.")])
    async def test_one_that_fails_leaves_no_trace(
        self,
        start: Start,
        begin: Callable[[Session], Turn],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        session = open_session(start())
        record(session, ("heard", "Hello!"), ("spoke", "Good evening."))
        before = session.transcript
        monkeypatch.setattr(session._runner._voice, "answer", _fail)
        assert isinstance((await events_of(begin(session)))[-1], TurnFailed)
        assert session.transcript == before

    async def test_the_id_of_one_under_way_is_taken(self, start: Start) -> None:
        session = open_session(start(), sampling=LONG)
        turn = greet(session, turn_id="dawn")
        await until_text(turn)
        with pytest.raises(AlreadyExistsError, match="'dawn'"):
            greet(session, turn_id="dawn")
        turn.interrupt()

    async def test_a_full_context_forgets_old_lines_and_not_the_last(self, start: Start) -> None:
        session = open_session(start(context=256), max_new_tokens=32)
        dropped = []
        for number in range(8):
            turn = greet(session) if number % 2 else react(session, f"Bell {number} " * 9)
            events = await events_of(turn)
            assert not isinstance(events[-1], TurnFailed), events[-1]
            dropped += [line for e in events if isinstance(e, ContextTrimmed) for line in e.dropped]
        assert dropped
        assert len(dropped) + len(session.transcript) == 12
        assert session.transcript[-1].turn_id == "turn-8"

    @pytest.mark.parametrize("style", ["llama3", None])
    async def test_a_saved_conversation_goes_on(self, start: Start, style: str | None) -> None:
        sessions = start(style)
        session = open_session(sessions, sampling={"temperature": 0.0})
        await finish(greet(session))
        await finish(react(session, "A bell rings."))
        record(session, ("event", "It is night."), ("spoke", "Late already."), ("heard", "Aye."))
        saved = session.config.model_copy(update={"session_id": "again"})
        again = sessions.open(SessionConfig.checked(**saved.model_dump()))
        assert again.transcript == session.transcript
        assert (await finish(greet(again))).text == (await finish(greet(session))).text

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"cue": "said", "text": " "}, "text.*must not be empty"),
            ({"text": ""}, "text.*must not be empty"),
            ({}, "text.*must not be empty"),
            ({"cue": "event", "text": "\n"}, "text.*0 characters.*1 to 4096"),
            ({"cue": "event", "text": "x" * 4097}, "text.*4097 characters.*1 to 4096"),
            ({"cue": "event", "text": "A bell.", "speaker": "Tom"}, "speaker.*must be empty"),
            ({"cue": "none", "text": "Hello!"}, "text.*must be empty"),
            ({"cue": "none", "text": " "}, "text.*must be empty"),
            ({"cue": "none", "speaker": "Tom"}, "speaker.*must be empty"),
        ],
    )
    def test_what_does_not_fit_its_cue_is_refused(self, fields: dict[str, Any], wrong: str) -> None:
        with pytest.raises(InvalidFieldError, match=wrong):
            Utterance.checked(**fields)


async def _fail(*_: object) -> None:
    raise RuntimeError("the test has it fail")


class TestScripts:
    @pytest.mark.parametrize("style", ["mistral", None])
    async def test_its_lines_are_the_characters_own(
        self, start: Start, style: str | None, prompts: Prompts
    ) -> None:
        session = open_session(start(style))
        recorded = prompts(session)
        record(session, ("spoke", "Welcome!"), ("heard", "A bed?"), ("spoke", "Two pennies."))
        speakers = [line.speaker for line in session.transcript]
        assert speakers == ["Mira", "Player", "Mira"]
        await finish(say(session, "Thanks."))
        places = [
            recorded[0].index(each) for each in ("Welcome!", "Player: A bed?", "Two pennies.")
        ]
        assert places == sorted(places)

    async def test_its_last_line_can_be_cut_where_it_was_heard(self, start: Start) -> None:
        session = open_session(start())
        record(session, ("spoke", "Two pennies a night."))
        session.interrupt(heard_characters=11)
        assert (session.transcript[0].text, session.transcript[0].cut) == ("Two pennies", True)

    async def test_who_speaks_in_it_ends_the_characters_replies(self, start: Start) -> None:
        session = open_session(start())
        script = ScriptLines.checked(lines=[{"kind": "heard", "speaker": "Anna", "text": "Hm."}])
        session.record(script)
        assert "Anna" in session._transcript.speakers

    async def test_a_full_transcript_takes_none_of_it(self, start: Start) -> None:
        session = open_session(start(max_history_bytes=2000))
        with pytest.raises(LimitReachedError, match="can't take more, here 20"):
            record(session, *[("spoke", "x" * 100)] * 20)
        assert session.transcript == ()

    @pytest.mark.parametrize(
        ("lines", "wrong"),
        [
            ([], "lines.*are 0.*1 to 256"),
            ([{"kind": "spoke", "text": "x"}] * (MAX_LINES + 1), "lines.*are 257.*1 to 256"),
            ([{"kind": "spoke", "text": "x" * 4097}], "number 0 has 4097 characters.*1 to 4096"),
            ([{"kind": "spoke", "text": "", "cut": True}], "number 0 has 0 characters"),
            ([{"kind": "event", "text": " "}], "text must not be empty"),
            ([{"kind": "spoke", "text": "x", "turn_id": "t"}], "number 0 has a turn_id"),
            ([{"kind": "heard", "text": "x", "cut": True}], "number 0 is cut"),
            ([{"kind": "event", "text": "x", "speaker": "T"}], "number 0 is an event"),
            ([{"kind": "heard", "text": "x", "speaker": "a\nb"}], "speaker"),
        ],
    )
    def test_what_is_wrong_with_a_line_is_said(
        self, lines: list[dict[str, Any]], wrong: str
    ) -> None:
        with pytest.raises(InvalidFieldError, match=wrong):
            ScriptLines.checked(lines=lines)

    async def test_nobody_else_speaks_as_the_character(self, start: Start) -> None:
        session = open_session(start())
        script = ScriptLines.checked(
            lines=[
                {"kind": "event", "text": "Night."},
                {"kind": "spoke", "text": "x", "speaker": "Tom"},
            ]
        )
        with pytest.raises(InvalidFieldError, match=r"lines\.1\.speaker: is 'Tom'.*'Mira'"):
            session.record(script)
        assert session.transcript == ()


@pytest.mark.parametrize("style", [*STYLES, "llama31"])
def test_roles_take_turns_whatever_began_them(
    style: str | None, tokenizer: Callable[[str | None], Tokenizer]
) -> None:
    template = ChatTemplate(tokenizer(style))
    said: list[TranscriptEntry] = []
    for cue in ("none", "none", "event", "none", "said", "script", "none"):
        if cue == "script":
            said.append(spoken("By the way."))
            continue
        entry = Utterance.checked(cue=cue, text="" if cue == "none" else "Ho.").entry("t")
        told = entry or prompt.opening(said)
        lines = said if told is None else [*said, told]
        before = prompt.messages("You are Mira.", lines)
        roles = [message["role"] for message in before]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"]
        assert template.render(before, "Mira")
        said += [each for each in (entry, spoken("Well.", "t")) if each is not None]
        assert prompt.messages("You are Mira.", said)[: len(before)] == before
