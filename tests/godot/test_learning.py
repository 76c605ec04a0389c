"""The mine: a game in Godot plays episodes with a real runtime, for who learns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import godot_engine
from runtime_process import launch_runtime
from townsfolk.client import Runtime


def test_a_game_plays_episodes_that_can_be_taken(godot_executable, tmp_path):
    clone = tmp_path / "clone"
    for part in ("plugins/godot/addons", "samples/godot/learning"):
        ignored = shutil.ignore_patterns("addons", ".godot") if "samples" in part else None
        shutil.copytree(godot_engine.ROOT / part, clone / part, ignore=ignored)
    run = str(clone / "samples/godot/learning/run.py")
    with launch_runtime() as launched:
        address = f"{launched.address}:{launched.port}"
        environment = {"HOME": str(tmp_path), "TOWNSFOLK_AUTH_TOKEN": launched.token}
        done = subprocess.run(
            [sys.executable, run, address, "", "3", "--godot", godot_executable],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        assert godot_engine.problems(done.stdout) == ""
        with Runtime.connect(address, launched.token) as runtime:
            played = runtime.take_episodes("mine")
            assert runtime.sessions() == []
    assert len(played) == 3
    assert {each.group for each in played} == {"0"}
    for each in played:
        assert 1 <= len(each.acts) <= 6
        last = each.acts[-1]
        assert all(act.action == "walk" and act.reward == -0.05 for act in each.acts[:-1])
        for act in each.acts:
            arguments = json.loads(act.arguments_json)
            ways = [{}] if act.action == "dig" else [{"to": "left"}, {"to": "right"}]
            assert arguments in ways
            assert act.observation.text.startswith("The gold lies ")
        assert last.reward in ((1.0, -0.5) if last.action == "dig" else (-0.05,))
