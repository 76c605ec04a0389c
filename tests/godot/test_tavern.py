"""The tavern sample, from a fresh clone: with the starter model, and with a script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import godot_engine

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")
SCRIPT = """
[[lines]]
character = "Mira"
heard = "your name"
says = "Mira, {speaker}. And this is my inn."

[[lines]]
character = "Mira"
heard = "your trade"
says = "Ale and beds, {speaker}."
words_per_second = 20

[[lines]]
says = "Well met, says {character}."
"""


def tour(godot_executable: str, folder: Path, **environment: str) -> list[dict]:
    """Visit the tavern; return what was said."""
    clone = folder / "clone"
    shutil.copytree(godot_engine.ROOT / "plugins/godot", clone / "plugins/godot")
    shutil.copytree(
        godot_engine.ROOT / "samples/godot/tavern",
        clone / "samples/godot/tavern",
        ignore=shutil.ignore_patterns("addons", ".godot"),
    )
    home = folder / "home"
    home.mkdir()
    run = str(clone / "samples/godot/tavern/run.py")
    visit = str(Path(__file__).with_name("tavern_tour.gd"))
    godot = ["--godot", godot_executable, "--", "--headless", "-s", visit]
    done = subprocess.run(
        ["timeout", "400", sys.executable, run, *godot],
        env={**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert godot_engine.problems(done.stdout) == ""
    return godot_engine.events(done.stdout)


def test_the_tavern_runs_and_everybody_talks(godot_executable, tmp_path):
    *answers, last = tour(godot_executable, tmp_path)
    assert len(answers) == 2
    assert all(answer["text"] for answer in answers)
    assert set(last["speakers"]) >= {"Mira", "Brann", "Tomas"}


def test_the_tavern_plays_a_script(godot_executable, tmp_path):
    """As a studio tests its game: a script stands where the model is named."""
    script = tmp_path / "tavern.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    program = tmp_path / "townsfolk"
    program.write_text(f'#!/bin/sh\nexec "{TOWNSFOLK}" "$@" --model "{script}"\n')
    program.chmod(0o755)
    *answers, last = tour(godot_executable, tmp_path, TOWNSFOLK_EXECUTABLE=str(program))
    assert [answer["text"] for answer in answers] == [
        "Mira, Traveler. And this is my inn.",
        "Ale and beds, Traveler.",
    ]
    assert set(last["speakers"]) >= {"Mira", "Brann", "Tomas"}
