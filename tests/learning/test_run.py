"""Whole runs of `townsfolk learn`, with a small random model in a real runtime."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
from townsfolk.checkpoint import read_adapter
from townsfolk.commands import learn

GAME = '''
from townsfolk.client import ActionParameter, ActionSpec, Persona

class Bandit:
    """The red lever pays."""

    persona = Persona(name="Osk")
    actions = [ActionSpec(name="pull", parameters=[
        ActionParameter(name="lever", options=["red", "blue", "white"])])]

    def reset(self, seed):
        return "Three levers."

    def step(self, action):
        return "Click.", float(action.arguments["lever"] == "red"), True

class Broken(Bandit):
    def step(self, action):
        raise RuntimeError("the lever is off")

class NoGame:
    pass
'''


@pytest.fixture
def game(tmp_path, monkeypatch):
    """A folder with a game, which is the working directory."""
    (tmp_path / "levers.py").write_text(textwrap.dedent(GAME))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("levers", None)
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


def run(*arguments: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    learn.add_arguments(parser)
    return learn.run(parser.parse_args([*arguments, "--device", "cpu", "--threads", "1"]))


def points(folder: Path) -> list[dict]:
    return [json.loads(each) for each in (folder / "curve.jsonl").read_text().splitlines()]


def test_an_adapter_learns_which_lever_pays(game, model, capsys):
    options = ("--base", str(model), "-o", "made/levers", "--rollouts", "24", "--held-out", "24")
    options += ("--learning-rate", "0.01", "--kl", "0.001")
    assert run("levers:Bandit", *options, "--iterations", "1") == 0, capsys.readouterr()
    folder = game / "made" / "levers"
    first = (folder / "adapter_model.safetensors").read_bytes()
    assert run("levers:Bandit", *options, "--iterations", "4", "--resume") == 0
    curve = points(folder)
    assert [each["iteration"] for each in curve] == [1, 2, 3, 4]
    assert [each["episodes"] for each in curve] == [24, 48, 72, 96]
    # What the runtime has recorded is what the trainer makes of it, also after a change: it plays
    # with the adapter as it is now.
    assert max(each["ratio_error"] for each in curve) < 1e-2
    measured = json.loads((folder / "measured.json").read_text())
    assert measured["after"] > 0.9 > measured["before"]  # of three levers; some it likes from birth
    assert measured["p"] < 0.05
    assert "better" in capsys.readouterr().out
    assert (folder / "adapter_model.safetensors").read_bytes() != first
    assert read_adapter(folder).config.r == 8
    assert (folder / "curve.png").exists()


@pytest.mark.parametrize(
    ("environment", "more", "says"),
    [
        ("levers:Broken", (), "the lever is off"),
        ("levers:NoGame", (), "lacks persona, actions, reset, step"),
        ("levers:Nobody", (), "has no attribute 'Nobody'"),
        ("nowhere:Bandit", (), "No module named 'nowhere'"),
        ("levers", (), "neither module:Class nor HOST:PORT"),
        ("levers:Bandit", ("--rollouts", "9"), "no whole number of groups of 8"),
        ("127.0.0.1:1", (), "--task"),
        ("127.0.0.1:1", ("--task", "t"), "no runtime answers"),
        ("levers:Bandit", ("--resume",), "no run to go on from"),
    ],
)
def test_what_goes_wrong_is_said(game, model, capsys, monkeypatch, environment, more, says):
    monkeypatch.setattr("townsfolk.client.connection.CONNECT_TIMEOUT_S", 0.5)
    assert run(environment, "--base", str(model), "-o", "made/x", "--rollouts", "8", *more) == 2
    assert says in capsys.readouterr().err
