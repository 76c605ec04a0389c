"""What a character keeps, over bad saved games, moves, pauses and other runtimes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime_process import LaunchedRuntime, launch_runtime

HEARD, SPOKE, EVENT = 1, 2, 3
TALE = "Well now. That is a long tale."
SCRIPT = f"""
[[lines]]
heard = "Take your time"
says = "{TALE}"
words_per_second = 8

[[lines]]
says = "I keep the Lantern."
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "memory.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture
def scripted(script: Path) -> Iterator[LaunchedRuntime]:
    with launch_runtime("--model", str(script)) as launched:
        yield launched


def drive(godot, runtime: LaunchedRuntime, scenario: str) -> dict[str, dict]:
    address = f"{runtime.address}:{runtime.port}"
    events = godot.drive("memory", scenario, address, runtime.token)
    return {event["event"]: event for event in events}


def lines(entries: list[dict]) -> list[tuple[str, bool]]:
    return [(entry["text"], entry["cut"]) for entry in entries]


def test_a_malformed_saved_game_is_a_message_and_changes_nothing(godot):
    good, bad = godot.drive("memory", "malformed")
    assert good["restored"] is True
    assert lines(good["kept"]) == [("Hello.", False)]
    assert bad["restored"] == []
    assert bad["kept"] == good["kept"]
    assert len(bad["messages"]) == 10
    start = "Mira can't go on from what was saved: entry 1 of the transcript "
    assert all(message.startswith(start) for message in bad["messages"])


def test_moved_in_mid_answer_it_keeps_what_was_said(godot, scripted):
    events = drive(godot, scripted, "moved")
    moved, session = events["moved"], events["session"]
    assert moved["interrupted"]
    assert TALE.startswith(moved["text"].strip())
    kept = [("Take your time.", False), (moved["text"].strip(), True)]
    assert lines(moved["kept"]) == kept
    assert [(text, cut) for _, _, text, cut in session["entries"]][:2] == kept
    assert session["same"]


def test_a_paused_game_hears_the_rest_when_it_goes_on(godot, scripted):
    events = drive(godot, scripted, "paused")
    assert events["paused"] == {"event": "paused", "stood": True, "sentences": []}
    assert events["waiting"] == {"event": "waiting", "done": False, "text": ""}
    resumed = events["resumed"]
    assert (resumed["first"], resumed["second"]) == (TALE, "I keep the Lantern.")
    assert " ".join(resumed["sentences"]) == f"{TALE} I keep the Lantern."
    assert events["session"]["same"]


def test_closed_in_a_paused_game_it_keeps_what_was_said(godot, scripted):
    closed = drive(godot, scripted, "closed_while_paused")["closed"]
    assert closed["text"] == "I keep the Lantern."
    said = [("Go on.", False), ("I keep the Lantern.", False)]
    assert lines(closed["kept"]) == [
        ("A dog barks.", False),
        *said,
        *said,
        ("The fire cracks.", False),
    ]


def test_who_waits_is_answered_by_the_runtime_that_comes_instead(
    godot, script, tmp_path, monkeypatch
):
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(Path(sys.executable).with_name("townsfolk")))
    other = tmp_path / "other.toml"
    other.write_text('[[lines]]\nsays = "Somebody else."\n', encoding="utf-8")
    arguments = ("another_runtime", str(script), str(other))
    events = {event["event"]: event for event in godot.drive("memory", *arguments)}
    turn = {"event": "turn", "before": "I keep the Lantern.", "text": "Somebody else.", "error": ""}
    assert events["turn"] == turn
    assert [line[2] for line in events["session"]["entries"]][::2] == ["Hello?", "Who is there?"]
