"""The add-on in the real editor: the dock with its test chat, and exporting a game."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import godot_engine

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")


def test_the_dock_starts_a_runtime_and_talks_to_the_selected_persona(godot):
    output = godot.run(
        "--editor",
        TOWNSFOLK_PROBE="dock",
        TOWNSFOLK_EXECUTABLE=str(TOWNSFOLK),
        OMP_NUM_THREADS="1",
    )
    dock, edited, stopped = godot_engine.events(output)
    assert dock["state"] == "Ready"
    assert dock["persona"] == "Mira"
    lines = dock["chat"].splitlines()
    assert lines[0] == "You: Good evening! What is your name?"
    assert lines[1].startswith("Mira: ")
    assert "tokens, first after" in lines[1]
    # The same persona with another name, and the sampling of the agent that was selected then.
    speakers = edited["speakers"].split(",")
    assert speakers == ["Player", "Mira", "Player", "Mira", "Player", "Brann"]
    assert edited["tokens"] == "1"
    assert (edited["left"], edited["chat"]) == ("0", "")
    assert stopped["state"] == "Stopped"


def export(godot, preset: str, target: Path) -> str:
    return godot.run("--export-pack", preset, str(target), check=False)


def test_an_export_carries_the_launch_settings_and_warns_of_what_is_missing(exporting, tmp_path):
    target = tmp_path / "game.pck"
    output = export(exporting, "Linux", target)
    assert f"the runtime is missing: put it at {tmp_path}/runtime/townsfolk" in output
    pack = target.read_bytes()
    start = pack.index(b'{\n\t"arguments"')
    launch = json.loads(pack[start : pack.index(b"}", start) + 1])
    assert launch == {"arguments": [], "executable": "runtime/townsfolk", "model": "starter"}
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/townsfolk").touch()
    assert "the runtime is missing" not in export(exporting, "Linux", target)


def test_a_web_export_is_told_that_it_needs_a_runtime_elsewhere(exporting, tmp_path):
    output = export(exporting, "Web", tmp_path / "game.pck")
    assert "can't start a runtime beside the game" in output


def test_a_web_export_is_told_when_its_transport_can_not_work(exporting, tmp_path):
    settings = exporting.project / "project.godot"
    text = settings.read_text()
    settings.write_text(text.replace("[townsfolk]\n", "[townsfolk]\n\nconnection/transport=1\n"))
    assert "set Project Settings > Townsfolk > Connection > Transport" in export(
        exporting, "Web", tmp_path / "game.pck"
    )
