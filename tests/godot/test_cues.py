"""Characters in the real engine who speak first, react, remember a script, are occupied, saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from godot_engine import Godot
from godot_events import EVENT, GRPC_WEB, HEARD, SPOKE, free_port
from runtime_process import LaunchedRuntime, launch_runtime

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
says = "Once upon a time"
fails = "hang"

[[lines]]
heard = "Take your time"
says = "That is a long tale, and a good one."
words_per_second = 20

[[lines]]
heard = "Aye or nay"
says = "Aye."

[[lines]]
heard = "Go on"
says = "Well now. Where was I?"

[[lines]]
cue = "said"
says = "You said {heard}"
"""


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Any]]:
    """A runtime with a fresh script for each test, so that its lines begin anew."""
    script: Path = tmp_path_factory.mktemp("script") / "cues.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    web_port = free_port()
    with launch_runtime("--model", str(script), "--web-port", str(web_port)) as launched:
        yield {"http2": launched, "grpc_web": replace(launched, port=web_port)}


Drive = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture(params=["http2", "grpc_web"])
def drive(
    request: pytest.FixtureRequest,
    godot: Godot,
    scripted: dict[str, LaunchedRuntime],
    monkeypatch: pytest.MonkeyPatch,
) -> Drive:
    """Run a scenario over a transport; return its events by their names."""
    if request.param == "grpc_web":
        monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    runtime = scripted[request.param]
    address = f"{runtime.address}:{runtime.port}"

    def run(scenario: str) -> dict[str, dict[str, Any]]:
        events = godot.drive("cues", scenario, address, runtime.token)
        return {event["event"]: event for event in events}

    return run


def texts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["text"] for line in lines]


def test_who_speaks_first_reacts_and_remembers_a_script(drive: Drive) -> None:
    events = drive("conversation")
    said = {name: events[name]["text"] for name in ("greeted", "reacted", "again", "said")}
    assert said["reacted"] == "Closing time!"
    assert said["said"] == "You said Hello!"
    assert {said["greeted"], said["again"]} <= {"Good evening!", "Well?"}
    assert events["session"]["same"]
    assert [line[:3] for line in events["session"]["entries"]] == [
        [SPOKE, "Mira", said["greeted"]],
        [EVENT, "", "A bell rings."],
        [SPOKE, "Mira", "Closing time!"],
        [EVENT, "", "She yawns."],
        [HEARD, "Player", "A bed?"],
        [SPOKE, "Mira", "Two pennies."],
        [SPOKE, "Mira", said["again"]],
        [HEARD, "Anna", "Hello!"],
        [SPOKE, "Mira", "You said Hello!"],
        [HEARD, "Player", "Go on."],
        [SPOKE, "Mira", "Well now."],
    ]
    assert events["barged"]["text"] == "Well now."
    assert events["barged"]["places"] == "[(0, 9), (10, 12)]"
    for each in events["completed"]["texts"]:
        half = len(each) // 2
        assert each[:half] == each[half + 1 :]


def test_a_turn_has_options_whatever_began_it(drive: Drive) -> None:
    events = drive("options")
    assert events["short"]["text"] in ("Good", "Well?")
    assert (events["late"]["text"], events["late"]["cut"]) == ("Once upon a time", True)
    assert events["chosen"]["text"] == "Aye."
    assert events["session"]["same"]
    assert [SPOKE, "Mira", "Once upon a time", True] in events["session"]["entries"]


def test_what_can_not_be_remembered_is_refused(drive: Drive) -> None:
    events = drive("refusals")
    wrong = events["messages"]["texts"]
    expected = ["0 lines", "line 0 has 0 ch", "4097", "neither", "line 1 was spoken by Anna"]
    expected += ["kind", "64 characters or one line", "is an event", "1 to 4096"]
    assert len(wrong) == len(expected)
    for message, says in zip(wrong, expected, strict=True):
        assert says in message
    assert events["blank"]["error"] == wrong[-1]
    assert events["fine"]["error"] == ""
    assert events["session"]["same"]
    assert len(events["session"]["entries"]) == 1


def test_who_is_occupied_talks_over_nothing(drive: Drive) -> None:
    events = drive("occupied")
    assert not events["waiting"]["done"]
    assert texts(events["waiting"]["kept"]) == ["This is the script."]
    assert events["first"]["text"] == "You said One"
    assert events["second"]["text"] == "Closing time!"
    assert events["silent"]["same"]
    assert events["slow"]["text"] == "That is a long tale, and a good one."
    assert events["session"]["same"]
    assert [line[2] for line in events["session"]["entries"]] == [
        "This is the script.", "One", "You said One", "A bell rings.", "Closing time!",
        "Take your time.", events["slow"]["text"], "Silence!",
    ]  # fmt: skip


def test_all_characters_are_saved_and_restored_at_once(drive: Drive) -> None:
    events = drive("saved")
    keys = events["saved"]["keys"]
    lines = dict(zip(keys, events["saved"]["lines"], strict=True))
    mira = lines.pop("innkeeper")
    ((path, brann),) = lines.items()
    assert path.endswith("/Brann")
    assert texts(brann) == ["Hello!", "You said Hello!"]
    assert events["restored"]["problem"] == ""
    assert texts(events["kept"]["mira"]) == texts(mira)
    assert texts(events["kept"]["brann"]) == texts(brann)
    assert events["again"]["text"] == "You said Again."
    assert events["heir"]["lines"] == 3
    assert "innkeeper: entry 0" in events["refused"]["problem"]
    assert texts(events["later"]["lines"]) == texts(mira)
    assert sorted(events["later"]["keys"]) == sorted([*keys, "later"])
    assert events["session"]["same"]
