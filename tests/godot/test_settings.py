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


def test_a_name_stays_a_name_and_a_missing_path_does_not(godot, beside):
    names = ("owner/model", "owner/model:Q4_K_M", "owner/model:sub/model.gguf", "tavern-1b", "auto")
    lost = ("models/taven", "res://models/taven", "taven.gguf", "./owner/model", "res://taven")
    found = [event["path"] for event in godot.drive("settings", "models", *names, *lost)]
    assert found == [*names, "", "", "", "", ""]


def test_a_user_path_is_the_players(godot):
    (found,) = godot.drive("settings", "models", "user://models/tavern")
    assert found["path"].startswith("/")
    assert found["path"].endswith("/models/tavern")


def test_the_export_looks_where_the_game_will(godot, tmp_path):
    (tmp_path / "townsfolk").touch()
    (tmp_path / "models/tavern").mkdir(parents=True)
    names = ("models/tavern", "res://models/tavern", "models/taven", "owner/model", "auto")
    events = godot.drive("settings", "exports", str(tmp_path / "game.pck"), *names)
    problems = [event["problems"] for event in events]
    assert problems[:2] == [[], []]
    assert problems[2] == [f"the model is missing: put it at {tmp_path}/models/taven"]
    assert all("is downloaded" in problem for (problem,) in problems[3:])


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
    events = godot.drive("settings", "launch_in_vain", "taven.gguf", check=False)
    assert f"put its file at {godot.project}/taven.gguf" in events[0]["message"]


def test_two_packs_that_share_an_id_and_differ_are_warned_of(godot):
    output = godot.run("res://drivers/main.tscn", "--", "settings", "packs", check=False)
    assert reported(output) == []
    # Of the three, each next one differs from the one before; an edited pack is no other one.
    assert output.count('have the same lore_id "ford" and different texts') == 2


def test_the_picker_takes_files_names_and_what_the_runtime_lists(godot, monkeypatch):
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(TOWNSFOLK))
    (godot.project / "models").mkdir(exist_ok=True)
    inside = godot.project / "models/inside.gguf"
    inside.touch()
    settings = godot.project / "project.godot"
    before = settings.read_text()
    try:
        events = godot.drive("settings", "pick", str(inside), "gone.gguf", "auto", "auto", "")
        saved = settings.read_text()
    finally:
        settings.write_text(before)
        inside.unlink()
    *picked, listed = events
    # Of a file inside of the project its path there; the same again is no choice.
    assert [event["model"] for event in picked] == [
        "models/inside.gguf",
        "gone.gguf",
        "auto",
        "auto",
        "starter",
    ]
    assert [event["chosen"] for event in picked] == [1, 2, 3, 3, 4]
    problems = [event["problem"] for event in picked]
    assert f"put its file at {godot.project}/gone.gguf" in problems.pop(1)
    assert problems == [""] * 4
    assert listed["names"][:2] == ["auto", "starter"]
    assert "llama-3.2-1b" in listed["names"]
    assert listed["names"].count("starter") == 1
    assert listed["tooltip"].startswith("0.8 GiB, ")
    assert listed["filters"] == ["*.gguf;GGUF models"]
    assert 'runtime/model="starter"' in saved or "runtime/model" not in saved


def test_what_nobody_has_touched_shows_no_change(godot):
    assert godot.drive("settings", "untouched") == [{"event": "untouched", "changed": []}]
