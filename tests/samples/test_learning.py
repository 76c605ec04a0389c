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
TOPICS = ("boots", "bags", "papers")


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
def test_a_guard_who_asks_for_the_right_thing_finds_the_smuggler(held_out):
    asked = []

    def guesses(seen):
        if seen.actions == ["ask"]:
            return Action("ask", {"topic": "bags"})
        return Action("accuse", {"who": "red"})

    def asks_anything(seen):
        """Ask for one thing after the other until somebody is named."""
        named = [each for each in SUSPECTS if f"the {each} one" in seen.text.lower()]
        if named or seen.actions == ["accuse"]:
            asked.clear()
            return Action("accuse", {"who": (named or ["red"])[0]})
        asked.append(len(asked))
        return Action("ask", {"topic": TOPICS[asked[-1]]})

    def reads(seen):
        """Ask for what the trace is of."""
        if seen.actions == ["ask"]:
            topic = next(each for each in TOPICS if each in seen.text.lower())
            return Action("ask", {"topic": topic})
        return asks_anything(seen)

    earned = [play("guard:Guard", each, held_out) for each in (guesses, asks_anything)]
    assert -0.55 < earned[0] < -0.3
    assert 0.75 < earned[1] < 0.85  # two questions on average
    assert play("guard:Guard", reads, held_out) == pytest.approx(0.9)
