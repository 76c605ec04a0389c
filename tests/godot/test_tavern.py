"""The tavern sample, from a fresh clone: with the starter model, and with a script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import godot_engine
from fresh_home import make_home

SPOKE = 2
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
    home = make_home(folder / "home")
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


def check(events: list[dict]) -> list[str]:
    """What holds whoever speaks; return the answers to the player."""
    *answers, talk, last = events
    # One was chosen by its number, the other typed: no key of the walk got into it.
    assert [answer["prompt"] for answer in answers] == ["What is your name?", "What is your trade?"]
    assert talk["ended"]
    assert len(last["spoken"]) >= 5
    for name, text in last["spoken"].items():
        assert [SPOKE, name, text] in last["remembered"][name]
    openings = 0
    for name, entries in last["remembered"].items():
        for (_, _, heard), after in pairwise(entries):
            if heard == "(nods at you)":
                assert after[:2] == [SPOKE, name]
                openings += 1
    assert openings >= 3
    return [answer["text"] for answer in answers]


def test_the_tavern_runs_and_everybody_talks(godot_executable, tmp_path):
    answers = check(tour(godot_executable, tmp_path))
    assert len(answers) == 2
    assert all(answers)


def test_the_tavern_plays_a_script(godot_executable, tmp_path):
    """As a studio tests its game: a script stands where the model is named."""
    script = tmp_path / "tavern.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    program = tmp_path / "townsfolk"
    program.write_text(f'#!/bin/sh\nexec "{TOWNSFOLK}" "$@" --model "{script}"\n')
    program.chmod(0o755)
    answers = check(tour(godot_executable, tmp_path, TOWNSFOLK_EXECUTABLE=str(program)))
    assert answers == ["Mira, Traveler. And this is my inn.", "Ale and beds, Traveler."]
