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

    The guard questions one of them first, and may then question on, or arrest whoever answered
    last; behind three questions he must. The reward is 1 for the arrest of the smuggler and 0 for
    that of another; each question behind the first costs 0.05.
    """

    persona = Persona(**DATA["persona"])
    actions = (
        ActionSpec(
            name="question",
            description="question a traveller",
            parameters=[ActionParameter(name="who", options=SUSPECTS)],
        ),
        ActionSpec(name="arrest", description="arrest the one who answered last"),
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
        if action.name == "arrest":
            return Observation("It is done."), float(self._asked == self._smuggler), True
        self._questions += 1
        self._asked = action.arguments["who"]
        words = self._words["guilty" if self._asked == self._smuggler else "honest"]
        told = self._rng.choice(words).format(who=self._asked)
        possible = ["question", "arrest"] if self._questions < 3 else ["arrest"]
        return Observation(told, actions=possible), 0.0 if self._questions == 1 else -0.05, False
