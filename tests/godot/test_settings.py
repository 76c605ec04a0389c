"""Where the runtime and the model are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chat_models import write_model
from godot_engine import events as reported

TOWNSFOLK = Path(os.sys.executable).with_name("townsfolk")


@pytest.fixture(scope="module")
def beside(godot) -> Path:
    """A model in the game's folder; the tests' own working directory is another one."""
    folder = godot.project / "models/tavern"
    folder.mkdir(parents=True)
    return write_model(folder, "llama3")


def test_a_path_is_taken_from_the_games_folder(godot, beside):
    names = ("models/tavern", "res://models/tavern", str(beside), "starter")
    found = [event["path"] for event in godot.drive("settings", "models", *names)]
    assert found == [str(beside), str(beside), str(beside), "starter"]


def test_a_name_of_the_hub_stays_a_name_and_a_missing_path_does_not(godot, beside):
    names = ("owner/model", "models/taven", "res://models/taven", "taven", "./owner/model")
    found = [event["path"] for event in godot.drive("settings", "models", *names)]
    assert found == ["owner/model", "", "", "", ""]


def test_a_user_path_is_the_players(godot):
    (found,) = godot.drive("settings", "models", "user://models/tavern")
    assert found["path"].startswith("/")
    assert found["path"].endswith("/models/tavern")


def test_the_export_looks_where_the_game_will(godot, tmp_path):
    (tmp_path / "townsfolk").touch()
    (tmp_path / "models/tavern").mkdir(parents=True)
    names = ("models/tavern", "res://models/tavern", "models/taven", "owner/model")
    events = godot.drive("settings", "exports", str(tmp_path / "game.pck"), *names)
    problems = [event["problems"] for event in events]
    assert problems[:2] == [[], []]
    assert problems[2] == [f"the model is missing: put it at {tmp_path}/models/taven"]
    assert "is downloaded" in problems[3][0]


def test_a_game_is_launched_with_the_model_beside_it(godot, beside, monkeypatch, tmp_path):
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(TOWNSFOLK))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    for model in ("models/tavern", "res://models/tavern"):
        (turn,) = (e for e in godot.drive("npc", "launched", model) if e["event"] == "turn")
        assert turn["error"] == ""
        assert turn["tokens"] == 8


def test_a_model_that_is_not_there_is_said_where_to_put(godot, beside, monkeypatch):
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(TOWNSFOLK))
    events = godot.drive("settings", "launch_in_vain", "models/taven", check=False)
    assert f"put its folder at {godot.project}/models/taven" in events[0]["message"]


def test_two_packs_that_share_an_id_and_differ_are_warned_of(godot):
    output = godot.run("res://drivers/main.tscn", "--", "settings", "packs", check=False)
    assert reported(output) == []
    # Of the three, each next one differs from the one before; an edited pack is no other one.
    assert output.count('have the same lore_id "ford" and different texts') == 2
