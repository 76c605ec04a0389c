"""The add-on in the real editor: the dock with its test chat, and exporting a game."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import godot_engine
import pytest

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")


def test_the_dock_starts_a_runtime_and_talks_to_the_selected_persona(godot):
    output = godot.run(
        "--editor",
        timeout=120,
        TOWNSFOLK_PROBE="dock",
        TOWNSFOLK_EXECUTABLE=str(TOWNSFOLK),
        OMP_NUM_THREADS="1",
    )
    dock, stopped = godot_engine.events(output)
    assert dock["state"] == "Ready"
    assert dock["persona"] == "Mira"
    lines = dock["chat"].splitlines()
    assert lines[0] == "You: Good evening! What is your name?"
    assert lines[1].startswith("Mira: ")
    assert "tokens, first after" in lines[1]
    assert stopped["state"] == "Stopped"


@pytest.fixture
def exporting(godot):
    """Exports need the settings as a game has them: the add-on launches the runtime."""
    settings = godot.project / "project.godot"
    before = settings.read_text()
    settings.write_text(before.replace("runtime/mode=2", "runtime/mode=0"))
    yield godot
    settings.write_text(before)


def export(godot, preset: str, target: Path) -> str:
    return godot.run("--export-pack", preset, str(target), timeout=120, check=False)


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


def test_an_exported_game_starts_the_runtime_beside_it(exporting, tmp_path):
    template = os.environ.get("TOWNSFOLK_GODOT_TEMPLATE")
    if template is None:
        pytest.skip("needs the path of Godot's Linux export template in TOWNSFOLK_GODOT_TEMPLATE")
    presets = exporting.project / "export_presets.cfg"
    linux, web = presets.read_text().split("[preset.1]")
    presets.write_text(f'{linux}custom_template/release="{template}"\n\n[preset.1]{web}')
    game = tmp_path / "game.x86_64"
    runtime = tmp_path / "runtime/townsfolk"
    runtime.parent.mkdir()
    runtime.write_text(f'#!/bin/sh\nexec "{TOWNSFOLK}" "$@"\n')
    runtime.chmod(0o755)
    exporting.run("--export-release", "Linux", str(game), timeout=120)
    environment = {**exporting.environment(), "OMP_NUM_THREADS": "1"}
    environment.pop("TOWNSFOLK_EXECUTABLE", None)
    played = subprocess.run(
        ["timeout", "60", str(game), "--headless", "--", "npc_connection", "exported"],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert played.returncode == 0, played.stdout
    assert godot_engine.problems(played.stdout) == ""
    [turn] = [e for e in godot_engine.events(played.stdout) if e["event"] == "turn"]
    assert (turn["error"], turn["tokens"]) == ("", 8)
    assert turn["pid"] > 0


def test_a_web_export_is_told_that_it_needs_a_runtime_elsewhere(exporting, tmp_path):
    output = export(exporting, "Web", tmp_path / "game.pck")
    assert "can't start a runtime beside the game" in output
