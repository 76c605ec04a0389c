"""A game exported for Linux, with Godot's own template in TOWNSFOLK_GODOT_TEMPLATE."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import godot_engine

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")


def test_an_exported_game_starts_the_runtime_beside_it(exporting, tmp_path):
    template = os.environ["TOWNSFOLK_GODOT_TEMPLATE"]
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
