"""NPC agents in the real engine against a real runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from godot_events import EVENT, GRPC_WEB, HEARD, SPOKE, drive, kinds, named, only
from runtime_process import LaunchedRuntime, launch_runtime

EDGES = "".join(map(chr, range(33)))

pytestmark = pytest.mark.usefixtures("executable")


def test_the_runtime_is_told_of_frames(godot, runtime):
    events = drive(godot, runtime, "frames", "pacing")
    assert kinds(events)[-3:] == ["paced", "unpaced", "paced again"]
    paced = only(events, "paced")
    assert paced["policy"] == 1
    assert paced["error"] == ""
    assert 1 <= paced["frame"] <= 1000


def test_the_model_is_released_and_warmed(godot, runtime):
    events = drive(godot, runtime, "release_and_warm", "pacing")
    assert only(events, "early")["error"] != ""
    assert only(events, "released")["error"] == ""
    assert only(events, "model") == {"event": "model", "state": 2, "done": False}
    assert only(events, "warm")["error"] == ""
    assert only(events, "turn")["error"] == ""


def test_one_npc(godot, runtime):
    events = drive(godot, runtime, "one_npc")
    turn = only(events, "turn")
    assert only(events, "said")["done"] is False
    assert turn["text"]
    assert turn["again"]
    assert turn["error"] == ""
    assert turn["tokens"] == 12
    assert turn["ttft"] > 0
    streamed = "".join(event["text"] for event in named(events, "text"))
    assert streamed == turn["text"]
    assert [event["text"] for event in named(events, "sentence")] == turn["sentences"]
    assert kinds(named(events, "thinking_started", "reply_finished", "failed")) == [
        "thinking_started",
        "reply_finished",
    ]
    heard, spoke = only(events, "transcript")["entries"]
    assert (heard["speaker"], heard["text"]) == ("Anna", "Good evening!")
    assert (spoke["speaker"], spoke["text"], spoke["cut"]) == ("Mira", turn["text"], False)


def test_an_answer_is_what_its_grammar_says_and_a_choice_among_texts(godot, runtime):
    events = drive(godot, runtime, "grammars_and_choices")
    data = only(events, "data")
    assert data["value"]["mood"] in ("calm", "angry"), data
    assert data["value"].keys() == {"mood", "gold"}
    assert data["sentences"] == []
    assert only(events, "chosen")["text"] in ("Aye.", "Never!")
    assert "unclosed group" in only(events, "refused")["error"]
    mood = only(events, "mood")
    assert mood["error"] == ""
    assert mood["text"] == ("Aye.", "Never!")[mood["index"]]
    assert sum(mood["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert mood["added"] == 0
    kept = only(events, "kept")
    assert [line["text"] for line in kept["last"]] == ["Will you?", kept["text"]]
    twice = only(events, "twice")
    assert "twice" in twice["error"]
    assert twice["index"] == -1


def test_a_method_is_an_action(godot, runtime):
    events = drive(godot, runtime, "actions")
    assert not [turn for turn in named(events, "turn") if turn["error"]]
    given = named(events, "given")
    assert len(given) == 3
    assert all(each["item"] in ("sword", "shield") for each in given)
    asked = only(events, "asked")
    assert (asked["name"], asked["arguments"]) == ("open_door", {})
    last = only(events, "last")
    assert last["error"] == ""
    assert "open_door() is not done: it is locked" in last["entry"]["text"]
    session = only(events, "session")
    assert [line for line in session["entries"] if "give_item" in line[2]]


TURNS = """
context_tokens = 1024

[[lines]]
heard = "Take your time"
says = '''Well now, that is a long tale, and my mother told it better than I ever will, by this
very fire, when the nights were as long as they are now and the snow lay up to the sills.'''
words_per_second = 4

[[lines]]
heard = "Fail"
fails = "overloaded"

[[lines]]
says = "I keep the Lantern, as my mother did."
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[LaunchedRuntime]:
    script = tmp_path / "turns.toml"
    script.write_text(TURNS, encoding="utf-8")
    with launch_runtime("--model", str(script)) as launched:
        yield launched


def test_a_turn_says_how_it_ended(godot, scripted):
    events = drive(godot, scripted, "endings", driver="turns")
    endings = {event["event"]: event for event in events if "reason" in event}
    assert {name: (each["reason"], each["is_cut"]) for name, each in endings.items()} == {
        "whole": ("END", False),
        "long": ("LENGTH", True),
        "late": ("DEADLINE", True),
        "cut": ("INTERRUPTED", True),
        "heard": ("INTERRUPTED", True),
        "fallback": ("UNSPECIFIED", False),
    }
    assert endings["cut"]["text"] == "We"
    assert endings["heard"]["text"] == "I k"


def test_the_game_is_told_what_a_character_forgets(godot, scripted):
    event = only(drive(godot, scripted, "forgetting", driver="turns"), "forgotten")
    heard = [line["text"] for line in event["lines"] + event["kept"] if line["kind"] == HEARD]
    assert event["lines"]
    assert heard == event["said"]


def test_stage_directions_are_told_apart_from_speech(godot, tmp_path):
    reply = "*slams the tankard* Get out! I *never* lie. (laughs) Really."
    script = tmp_path / "tavern.toml"
    script.write_text(f'[[lines]]\nsays = "{reply}"\n', encoding="utf-8")
    with launch_runtime("--model", str(script)) as launched:
        events = drive(godot, launched, "directions", driver="speech")
    kept, apart = only(events, "KEEP"), only(events, "APART")
    dropped, spoken = only(events, "DROP"), only(events, "SPEAK")
    done = ["slams the tankard", "laughs"]
    assert kept["text"] == spoken["text"] == reply
    assert kept["given"] == kept["directions"] == apart["given"] == done
    assert kept["done"] == ["*slams the tankard*", "(laughs)"]
    assert apart["text"] == dropped["text"] == "Get out! I *never* lie. Really."
    assert dropped["given"] == spoken["given"] == []
    assert kept["sentences"] == apart["sentences"] == ["Get out!", "I never lie.", "Really."]
    assert kept["until"] == [reply[:28], reply[:43], reply]
    assert spoken["sentences"][0] == "*slams the tankard* Get out!"


def test_twenty_npcs_speak_at_once(godot, runtime):
    done = only(drive(godot, runtime, "twenty_at_once"), "done")
    assert done["all_whole"]
    assert done["most_at_once"] >= 15


def test_twenty_npcs_share_the_connections_that_a_browser_has(godot, both, monkeypatch):
    monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    done = only(
        drive(godot, both["grpc_web"], "twenty_over_six_connections", "npc_connection"), "done"
    )
    assert done["all_whole"]
    assert done["most_at_once"] <= 5


def test_interrupted_in_mid_sentence_it_remembers_exactly_what_was_heard(godot, runtime):
    events = drive(godot, runtime, "interrupt")
    turn, waiting = only(events, "turn"), only(events, "waiting")
    assert turn["interrupted"]
    assert len(turn["text"]) == 17
    assert waiting["interrupted"]
    assert waiting["text"] == ""
    assert kinds(named(events, "interrupted", "failed")) == ["interrupted", "interrupted"]
    first, second, third = named(events, "session")
    assert first["entries"] == [
        [HEARD, "Player", "Tell me everything.", False],
        [SPOKE, "Mira", turn["text"], True],
    ]
    assert first["same"]
    assert [len(entry[2]) for entry in second["entries"] if entry[0] == SPOKE] == [17, 2]
    assert second["same"]
    assert [len(entry[2]) for entry in third["entries"] if entry[0] == SPOKE] == [17, 2, 3]
    assert third["same"]
    newest = only(events, "newest")
    assert (len(newest["text"]), newest["interrupted"]) == (3, True)


def test_closed_in_mid_sentence_it_keeps_what_was_said(godot, runtime):
    events = drive(godot, runtime, "closed_while_it_speaks")
    turn = only(events, "turn")
    heard, spoke = only(events, "transcript")["entries"]
    assert turn["interrupted"]
    assert heard["text"] == "Tell me everything."
    assert (spoke["text"].strip(EDGES), spoke["cut"]) == (turn["text"].strip(EDGES), True)


def test_turns_queue_events_and_saved_games(godot, runtime):
    events = drive(godot, runtime, "queue_and_events")
    assert [event["prompt"] for event in named(events, "thinking")] == ["One.", "Two.", "Three."]
    first, restored = named(events, "session")
    heard = [[EVENT, "", "A dog barks.", False], [HEARD, "Player", "One.", False]]
    assert first["entries"][:2] == heard
    assert [entry[0] for entry in first["entries"]] == [EVENT, *[HEARD, SPOKE] * 3]
    assert first["same"]
    assert first["priority"] == 40
    assert restored["entries"][:7] == first["entries"]
    assert len(restored["entries"]) == 9
    assert restored["same"]


def test_the_nearer_the_more_urgent(godot, runtime):
    sessions = named(drive(godot, runtime, "attention"), "session")
    assert [session["priority"] for session in sessions] == [60, 35, 10]


def test_npcs_share_lore(godot, runtime):
    sessions = named(drive(godot, runtime, "shared_lore"), "session")
    assert [session["lore"] for session in sessions] == [["harbor"], ["harbor"]]


def test_bad_values_are_clear_errors_and_nothing_else_is_lost(godot, runtime):
    events = drive(godot, runtime, "bad_values")
    messages = [event["message"] for event in named(events, "failed")]
    assert "temperature" in messages[0]
    assert "--adapters FOLDER" in messages[2]
    assert len(named(events, "reply_finished")) == 3
    assert "has no persona" in messages[-1]
    assert len(messages) == 4


def test_a_deadline_keeps_what_was_said(godot, runtime):
    turn = only(drive(godot, runtime, "deadline"), "turn")
    assert turn["error"] == ""
    assert 0 < turn["tokens"] < 900


def test_stats(godot, runtime):
    assert only(drive(godot, runtime, "stats"), "stats")["tokens"] >= 8


def test_parts_of_a_persona_weigh_more(godot, runtime):
    events = drive(godot, runtime, "parts_of_a_persona", "contrast")
    assert "nothing of what its contrast is about" in only(events, "problem")["text"]
    turn = only(events, "turn")
    assert turn == {"event": "turn", "error": "", "strength": 0.5, "fields": [1, 2]}


def test_dialogue_box(godot, runtime):
    events = drive(godot, runtime, "dialogue_box")
    assert only(events, "typing") == {"event": "typing", "shown": 12, "name": "Mira"}
    assert only(events, "turn") == {"event": "turn", "length": 12, "cut": True}
    assert only(events, "slow")["shown"] == 6
    assert only(events, "skipped") == {"event": "skipped", "all": True, "open": True}
    assert only(events, "dismissed")["open"] is False
