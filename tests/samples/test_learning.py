"""The games of samples/python/learning: their rules, and that something can be learned."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
from townsfolk.learning.environment import Action, EnvironmentSource, Observation, observed

FOLDER = Path(__file__).parents[2] / "samples" / "python" / "learning"
SUSPECTS = ("red", "green", "blue")


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [*sys.path])


def play(name: str, choose: Callable[[Observation], Action], held_out: bool = False) -> float:
    """What a way to play comes to, on average."""
    source = EnvironmentSource.find(name)
    assert source.has_held_out
    game, rewards = source.open(held_out=held_out), []
    for seed in range(400):
        seen, total, is_over = observed(game.reset(seed)), 0.0, False
        while not is_over:
            action = choose(seen)
            assert not seen.actions or action.name in seen.actions
            told, reward, is_over = game.step(action)
            seen, total = observed(told), total + reward
        rewards.append(total)
    return mean(rewards)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_merchant_who_asks_for_what_buyers_pay_earns_more(held_out):
    def accepts(_):
        return Action("accept")

    def dreams(_):
        return Action("ask", {"price": 60})

    def reckons(seen):
        words = seen.text.replace(".", "").split()
        if "cost" in words:
            reckons.cost = int(words[words.index("cost") + 2])
            return Action("ask", {"price": reckons.cost + 13})
        return Action("ask", {"price": reckons.cost + 9})

    earned = [play("merchant:Merchant", each, held_out) for each in (dreams, accepts, reckons)]
    assert earned[0] == 0
    assert 0.1 < earned[1] < 0.35
    assert earned[2] > 0.6


@pytest.mark.parametrize("held_out", [False, True])
def test_a_guard_who_listens_finds_the_smuggler(held_out):
    guilty = ("sweat", "stammer", "hides", "can't be true", "looks away", "lies")

    def guesses(_):
        return Action("arrest")

    heard = []

    def listens(seen):
        heard.append(next(each for each in SUSPECTS if f" {each} " in seen.text))
        if seen.actions == ["arrest"] or any(word in seen.text.lower() for word in guilty):
            heard.clear()
            return Action("arrest")
        return Action("question", {"who": next(each for each in SUSPECTS if each not in heard)})

    assert -0.5 < play("guard:Guard", guesses, held_out) < -0.16
    assert play("guard:Guard", listens, held_out) > 0.9
