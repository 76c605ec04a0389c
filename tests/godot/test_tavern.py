"""The tavern sample, from a fresh clone, with the starter model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import godot_engine


def test_the_tavern_runs_and_everybody_talks(godot_executable, tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(godot_engine.ROOT / "plugins/godot", clone / "plugins/godot")
    shutil.copytree(
        godot_engine.ROOT / "samples/godot/tavern",
        clone / "samples/godot/tavern",
        ignore=shutil.ignore_patterns("addons", ".godot"),
    )
    home = tmp_path / "home"
    home.mkdir()
    run = str(clone / "samples/godot/tavern/run.py")
    tour = str(Path(__file__).with_name("tavern_tour.gd"))
    godot = ["--godot", godot_executable, "--", "--headless", "-s", tour]
    done = subprocess.run(
        ["timeout", "100", sys.executable, run, *godot],
        env={**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert godot_engine.problems(done.stdout) == ""
    *answers, last = godot_engine.events(done.stdout)
    assert len(answers) == 2
    assert all(answer["text"] for answer in answers)
    assert set(last["speakers"]) >= {"Mira", "Brann", "Tomas"}
