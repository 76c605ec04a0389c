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
    def accepts(seen):
        return dreams(seen) if seen.actions == ["ask"] else Action("accept")

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
    assert 0.2 < earned[1] < 0.55
    assert earned[2] > 0.6


def see_any(seen: Observation) -> Action:
    return Action(seen.actions[0])


def accuse(who: str) -> Action:
    return Action("accuse", {"who": who})


@pytest.mark.parametrize("held_out", [False, True])
def test_a_guard_who_reads_and_listens_finds_the_smuggler(held_out):
    def guesses(seen):
        return accuse("red") if seen.actions == ["accuse"] else see_any(seen)

    def listens(seen):
        if seen.actions != ["accuse"]:
            return see_any(seen)
        [named] = [each for each in SUSPECTS if f"the {each} one" in seen.text.lower()]
        return accuse(named)

    def reads(seen):
        """Ask for what the trace is of."""
        topic = next((each for each in TOPICS if f"see_{each}" in seen.actions), "")
        topic = next((each for each in TOPICS if each in seen.text.lower()), topic)
        return Action(f"see_{topic}") if seen.actions != ["accuse"] else listens(seen)

    assert -0.65 < play("guard:Guard", guesses, held_out) < -0.4
    assert 0.75 < play("guard:Guard", listens, held_out) < 0.85  # two questions on average
    assert play("guard:Guard", reads, held_out) == pytest.approx(0.9)


def test_nobody_is_accused_before_something_is_found_and_nothing_is_asked_for_twice():
    game = EnvironmentSource.find("guard:Guard").open(held_out=False)
    for seed in range(50):
        seen, asked = observed(game.reset(seed)), []
        while seen.actions != ["accuse"]:
            assert "accuse" not in seen.actions
            assert not set(asked) & set(seen.actions)
            asked.append(seen.actions[-1])
            seen = observed(game.step(Action(asked[-1]))[0])
        assert any(f"the {each} one" in seen.text.lower() for each in SUSPECTS)
