"""A game exported for Linux, with Godot's own template in TOWNSFOLK_GODOT_TEMPLATE."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bare_machine
import godot_engine
import psutil
import pytest

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")
TEMPLATE = Path(os.environ["TOWNSFOLK_GODOT_TEMPLATE"])
# Godot says so where there is no folder of the player's, no shell and no font, and goes on.
BARE = re.compile(r"xdg-user-dir|create directory|create data dir|\.local/share")


def write_presets(project: Path) -> None:
    presets = project / "export_presets.cfg"
    if str(TEMPLATE) not in (text := presets.read_text()):
        linux, web = text.split("[preset.1]")
        presets.write_text(f'{linux}custom_template/release="{TEMPLATE}"\n\n[preset.1]{web}')


def turns(output: str) -> list[dict]:
    return [event for event in godot_engine.events(output) if event["event"] == "turn"]


def test_an_exported_game_starts_the_runtime_beside_it(exporting, tmp_path):
    write_presets(exporting.project)
    game = tmp_path / "game.x86_64"
    runtime = tmp_path / "runtime/townsfolk"
    runtime.parent.mkdir()
    runtime.write_text(f'#!/bin/sh\nexec "{TOWNSFOLK}" "$@"\n')
    runtime.chmod(0o755)
    exporting.run("--export-release", "Linux", str(game))
    environment = {**exporting.environment(), "OMP_NUM_THREADS": "1"}
    environment.pop("TOWNSFOLK_EXECUTABLE", None)
    played = subprocess.run(
        ["timeout", "300", str(game), "--headless", "--", "npc_connection", "exported"],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert played.returncode == 0, played.stdout
    assert godot_engine.problems(played.stdout) == ""
    [turn] = turns(played.stdout)
    assert (turn["error"], turn["tokens"]) == ("", 8)
    assert turn["pid"] > 0


@pytest.fixture
def bundled_game(exporting, game_bundle, tmp_path) -> Path:
    """A game that was exported with the bundle, in a folder as players have them."""
    write_presets(exporting.project)
    settings = exporting.project / "project.godot"
    before = settings.read_text()
    section = f'[townsfolk]\nexport/bundle="{game_bundle}"\n'
    settings.write_text(before.replace("[townsfolk]\n", section))
    folder = tmp_path / "Spiele/Schänke am Fluß"
    folder.mkdir(parents=True)
    game = folder / "Schänke.x86_64"
    exporting.run("--export-release", "Linux", str(game))
    settings.write_text(before)
    return game


@contextmanager
def playing(game: Path, scenario: str) -> Iterator[subprocess.Popen[str]]:
    """The game on a machine with nothing but Godot's own libraries."""
    # Godot 4.6 itself crashes where it can't write the log that it keeps for the player.
    arguments = ("--headless", "--log-file", "/tmp/godot.log", "--", "npc_connection", scenario)
    process = subprocess.Popen(
        bare_machine.command(game, *arguments, seen=[game.parent, TEMPLATE.parent]),
        env=bare_machine.environment(OMP_NUM_THREADS="1"),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(1800)
def test_a_game_with_a_bundle_talks_where_nothing_is_installed(bundled_game):
    with playing(bundled_game, "exported") as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    complaints = [line for line in output.splitlines() if godot_engine.BAD_LINES.search(line)]
    assert [line for line in complaints if not BARE.search(line)] == [], output
    [turn] = turns(output)
    assert (turn["error"], turn["tokens"], turn["model"]) == ("", 8, "starter")


@pytest.mark.timeout(1800)
def test_a_game_that_is_killed_leaves_nothing_behind(bundled_game):
    with playing(bundled_game, "exported_for_ever") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := turns(line):
                break
        else:
            pytest.fail("the game has ended")
        assert found[0]["error"] == ""
        family = psutil.Process(process.pid).children(recursive=True)
        assert any(child.name() == "townsfolk" for child in family)
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=500)
        assert alive == []
    left = [path for path in bundled_game.parent.rglob("*") if "ready" in path.name]
    assert left == []
