"""Characters who speak first, react, remember a script, are busy and saved: a scripted runtime."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from townsfolk.client import (
    AsyncRuntime,
    DeadlineExceededError,
    InvalidArgumentError,
    Persona,
    Runtime,
    SamplingParams,
    TranscriptEntry,
    happened,
    heard,
    spoken,
)

SCRIPT = """
[[lines]]
cue = "none"
says = ["Good evening!", "Well?"]

[[lines]]
cue = "event"
heard = "bell"
says = "Closing time!"

[[lines]]
heard = "story"
says = "Once upon a time there was"
fails = "hang"

[[lines]]
cue = "said"
says = "You said {heard}"
"""
MIRA, BRANN = Persona(name="Mira"), Persona(name="Brann")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "cues.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runtime(script: Path) -> Iterator[Runtime]:
    with Runtime.launch("--model", str(script)) as launched:
        yield launched


def lines(entries: list[TranscriptEntry]) -> list[tuple[str, str, str]]:
    kinds = {1: "heard", 2: "spoke", 3: "event"}
    return [(kinds[entry.kind], entry.speaker, entry.text) for entry in entries]


def theirs(runtime: Runtime, session_id: str) -> list[TranscriptEntry]:
    return list(runtime.session(session_id).config.history)


def test_who_speaks_first_reacts_and_speaks_again(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        assert npc.greet().wait().text == "Good evening!"
        assert npc.react("A bell rings.").wait().text == "Closing time!"
        assert npc.greet().wait().text == "Well?"
        assert lines(npc.transcript) == [
            ("spoke", "Mira", "Good evening!"),
            ("event", "", "A bell rings."),
            ("spoke", "Mira", "Closing time!"),
            ("spoke", "Mira", "Well?"),
        ]
        assert npc.transcript == theirs(runtime, npc.session_id)


def test_a_turn_has_its_own_sampling_whatever_began_it(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        turn = npc.react("A bell rings.", sampling=SamplingParams(max_new_tokens=1)).wait()
        assert turn.usage.generated_tokens == 1
    with pytest.raises(TypeError, match="no option sampler"):
        npc.greet(sampler=SamplingParams())  # type: ignore[call-arg]


def test_a_deadline_holds_for_an_event_as_for_a_question(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        for seconds in (0.3, 2.0, 8.0):  # until it is long enough for the first words
            with suppress(DeadlineExceededError):
                turn = npc.react("Somebody asks for a story.", deadline_s=seconds).wait()
                break
        assert turn.text == "Once upon a time there was"
        assert npc.transcript[-1].cut
        assert npc.transcript == theirs(runtime, npc.session_id)


def test_a_scripts_lines_are_remembered_as_if_they_had_been_said(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        npc.record(
            "Welcome!", heard("A bed?", "Tom"), happened("She yawns."), spoken("Two pennies.")
        )
        assert lines(npc.transcript) == [
            ("spoke", "Mira", "Welcome!"),
            ("heard", "Tom", "A bed?"),
            ("event", "", "She yawns."),
            ("spoke", "Mira", "Two pennies."),
        ]
        assert npc.transcript == theirs(runtime, npc.session_id)
        assert npc.interrupt(heard_characters=3) == ("",)
        assert npc.transcript == theirs(runtime, npc.session_id)
        assert npc.transcript[-1].text == "Two"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((), r"lines.*are 0.*1 to 256"),
        (("  ",), r"lines\.0.*text must not be empty"),
        (("x" * 4097,), r"number 0 has 4097.*1 to 4096"),
        (("Fine.", heard("x", "a\nb")), r"lines\.1\.speaker"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(
    runtime: Runtime, wrong: tuple[str | TranscriptEntry, ...], says: str
) -> None:
    with runtime.npc(MIRA) as npc:
        with pytest.raises(InvalidArgumentError, match=says):
            npc.record(*wrong)
        with pytest.raises(InvalidArgumentError, match=r"text.*1 to 4096"):
            npc.react(" ").wait()
        assert npc.transcript == theirs(runtime, npc.session_id) == []


def test_what_is_said_to_a_busy_character_waits(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        with npc.busy(), npc.busy():
            assert npc.is_busy
            turns = [npc.say("One"), npc.react("A bell rings.")]
            npc.record("This is the script.")
            assert lines(npc.transcript) == [("spoke", "Mira", "This is the script.")]
        assert not npc.is_busy
        assert [turn.wait().text for turn in turns] == ["You said One", "Closing time!"]
        assert [entry.text for entry in npc.transcript] == [
            "This is the script.", "One", "You said One", "A bell rings.", "Closing time!",
        ]  # fmt: skip


def test_time_does_not_count_while_a_character_is_busy(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        with npc.busy():
            turn = npc.say("Hello.", deadline_s=0.3)
            kept = npc.say("Hello again.", deadline_s=60)
            time.sleep(0.5)
            assert not turn._turn.is_over
        assert kept.wait().text == "You said Hello again."


async def test_one_that_is_closed_while_busy_says_nothing_more(script: Path) -> None:
    async with AsyncRuntime.launch("--model", str(script)) as runtime:
        npc = await runtime.npc(MIRA).open()
        with npc.busy():
            turn = npc.say("Hello")
            await asyncio.sleep(0)
            await npc.close()
            with pytest.raises(Exception, match="closed before this was said"):
                await turn.wait()


def test_all_characters_are_saved_and_restored_at_once(runtime: Runtime, script: Path) -> None:
    with runtime.npc(MIRA) as mira, runtime.npc(BRANN, save_key="the smith") as brann:
        mira.greet().wait()
        brann.say("Hello!").wait()
        saved, before = runtime.save(), (mira.transcript, brann.transcript)
        mira.say("More.").wait()
        brann.record("And more.")
        runtime.restore(saved)
        assert (mira.transcript, brann.transcript) == before
        assert mira.say("Again.").wait().text == "You said Again."
        assert mira.transcript == theirs(runtime, mira.session_id)
        assert mira.transcript[: len(before[0])] == before[0]
    with Runtime.launch("--model", str(script)) as other:
        other.restore(saved)
        assert other.save() != b""
        with other.npc(BRANN, save_key="the smith") as again:
            assert again.transcript == before[1]
            assert theirs(other, again.session_id) == before[1]


def test_an_answer_under_way_is_saved_as_far_as_it_has_come(runtime: Runtime) -> None:
    with runtime.npc(MIRA) as npc:
        turn = npc.say("Tell me a story.")
        pieces = iter(turn)
        said = next(pieces)
        while "there was" not in said:
            said += next(pieces)
        history = npc.save().history
        assert [entry.text for entry in history] == ["Tell me a story.", said]
        assert history[-1].cut
        turn.interrupt()
        turn.wait()


def test_two_characters_with_one_key_are_not_saved(runtime: Runtime) -> None:
    with runtime.npc(MIRA), runtime.npc(MIRA), pytest.raises(InvalidArgumentError, match="'Mira'"):
        runtime.save()


def test_what_is_no_saved_game_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidArgumentError, match="no saved game"):
        runtime.restore(b"\xff\xff")
