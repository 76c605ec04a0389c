"""Stage directions through the whole service and the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from townsfolk.client import InvalidArgumentError, Persona, Runtime, RuntimeProcess, speech
from townsfolk.v1.dialogue_pb2 import DirectionMark, SessionEvent

REPLY = "*slams the tankard* Get out! I *never* lie. (laughs) Really."
SCRIPT = f"""
[[lines]]
says = "{REPLY}"
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    script: Path = tmp_path_factory.mktemp("script") / "tavern.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    with RuntimeProcess(["--model", str(script)]) as process:
        endpoint = process.start()
        with Runtime.connect(endpoint.address, endpoint.token) as connected:
            yield connected


def told(runtime: Runtime, settings=None) -> tuple[list[SessionEvent], str, Runtime]:
    with runtime.npc(Persona(name="Mira"), speech=settings) as npc:
        turn = npc.say("Good evening.")
        events = [*turn.events()]
        assert [entry.text for entry in npc.transcript][-1] == turn.text
        return events, turn.text


def of(events: list[SessionEvent], kind: str) -> list:
    return [getattr(event, kind) for event in events if event.WhichOneof("event") == kind]


def test_directions_stay_in_the_text_and_out_of_the_sentences(runtime):
    events, text = told(runtime)
    assert text == REPLY
    deltas = of(events, "text_delta")
    assert "".join(each.text for each in deltas) == REPLY
    assert [each.text for each in deltas if each.direction] == ["*slams the tankard*", "(laughs)"]
    sentences = of(events, "sentence_completed")
    assert [each.text for each in sentences] == ["Get out!", "I never lie.", "Really."]
    assert {(each.speaker, each.turn_id) for each in sentences} == {("Mira", deltas[0].turn_id)}
    assert [REPLY[each.offset : each.offset + each.length] for each in sentences] == [
        "Get out!", "I *never* lie.", "Really."
    ]  # fmt: skip
    directions = of(events, "direction_given")
    assert [(each.text, each.speaker) for each in directions] == [
        ("slams the tankard", "Mira"), ("laughs", "Mira")
    ]  # fmt: skip
    assert [REPLY[each.offset : each.offset + each.length] for each in directions] == [
        "*slams the tankard*", "(laughs)"
    ]  # fmt: skip
    assert [each.mark for each in directions] == [
        DirectionMark.DIRECTION_MARK_ASTERISKS, DirectionMark.DIRECTION_MARK_PARENTHESES
    ]  # fmt: skip


@pytest.mark.parametrize(("way", "count"), [("apart", 2), ("drop", 0)])
def test_directions_are_left_out(runtime, way, count):
    events, text = told(runtime, speech(way))
    assert text == "Get out! I *never* lie. Really."
    assert "".join(each.text for each in of(events, "text_delta")) == text
    assert len(of(events, "direction_given")) == count


def test_marks_are_chosen_and_all_can_be_spoken(runtime):
    events, text = told(runtime, speech("drop", ["parentheses"]))
    assert text == REPLY.replace("(laughs) ", "")
    events, text = told(runtime, speech("speak"))
    assert text == REPLY
    assert not of(events, "direction_given")
    assert "*slams the tankard* Get out!" in [e.text for e in of(events, "sentence_completed")]


def test_a_saved_session_keeps_how_it_speaks(runtime):
    settings = speech("apart", ["tags", "asterisks"])
    with runtime.npc(Persona(name="Mira"), session_id="kept", speech=settings) as npc:
        npc.say("Good evening.").wait()
        assert runtime.session("kept").config.speech == settings


def test_bad_settings_are_clear_errors(runtime):
    with pytest.raises(InvalidArgumentError, match="keep, apart, drop, speak"):
        speech("aside")
    with pytest.raises(InvalidArgumentError, match="asterisks, parentheses, brackets, tags"):
        speech("keep", ["braces"])
    twice = speech("keep", ["tags", "tags"])
    npc = runtime.npc(Persona(name="Mira"), speech=twice)
    with pytest.raises(InvalidArgumentError, match=r"speech\.marks"):
        npc.say("Hello.").wait()
