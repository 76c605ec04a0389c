"""A guard who finds the smuggler: `townsfolk learn guard:Guard --base starter -o adapters/guard`.

Run it in this folder. What suspects say is in guard.yaml: some to learn from, other words that
nobody learns from, to measure with.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import yaml
from townsfolk.client import ActionParameter, ActionSpec, Persona
from townsfolk.learning.environment import Action, Observation

DATA = yaml.safe_load(Path(__file__).with_name("guard.yaml").read_text(encoding="utf-8"))
SUSPECTS = DATA["suspects"]


class Guard:
    """One of three travellers smuggles, and shows it when he is questioned.

    The guard questions one of them first, and may then question on or arrest; behind three
    questions he must arrest. The reward is 1 for the arrest of the smuggler and 0 for that of
    another; each question behind the first costs 0.05.
    """

    persona = Persona(**DATA["persona"])
    actions = (
        ActionSpec(
            name="question",
            description="question a traveller",
            parameters=[ActionParameter(name="who", options=SUSPECTS)],
        ),
        ActionSpec(
            name="arrest",
            description="arrest the smuggler",
            parameters=[ActionParameter(name="who", options=SUSPECTS)],
        ),
    )

    def __init__(self, held_out: bool = False) -> None:
        """Hear the words to learn from, or those that nobody learns from."""
        self._words = DATA["held_out" if held_out else "answers"]

    def reset(self, seed: int) -> Observation:
        """Three travellers stand at the gate."""
        self._rng = Random(seed)
        self._smuggler = self._rng.choice(SUSPECTS)
        self._questions = 0
        return Observation(DATA["opening"], actions=["question"])

    def step(self, action: Action) -> tuple[Observation, float, bool]:
        """A traveller answers, or is led away."""
        who = action.arguments["who"]
        if action.name == "arrest":
            return Observation("It is done."), float(who == self._smuggler), True
        self._questions += 1
        words = self._rng.choice(self._words["guilty" if who == self._smuggler else "honest"])
        possible = ["question", "arrest"] if self._questions < 3 else ["arrest"]
        seen = Observation(words.format(who=who), actions=possible)
        return seen, 0.0 if self._questions == 1 else -0.05, False
