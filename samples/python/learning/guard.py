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

    One has answered already. The guard arrests whoever answered last, or questions on; behind the
    third answer he must arrest. The reward is 1 for the arrest of the smuggler and -1 for that
    of another; each question costs 0.05.
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
        """Three travellers stand at the gate, and one of them answers."""
        self._rng = Random(seed)
        self._smuggler = self._rng.choice(SUSPECTS)
        self._answers = 0
        return self._answer(self._rng.choice(SUSPECTS))

    def step(self, action: Action) -> tuple[Observation, float, bool]:
        """A traveller answers, or is led away."""
        if action.name == "arrest":
            return Observation("It is done."), 1.0 if self._asked == self._smuggler else -1.0, True
        return self._answer(action.arguments["who"]), -0.05, False

    def _answer(self, who: str) -> Observation:
        self._asked = who
        self._answers += 1
        words = self._rng.choice(self._words["guilty" if who == self._smuggler else "honest"])
        possible = ["question", "arrest"] if self._answers < 3 else ["arrest"]
        return Observation(words.format(who=who), actions=possible)
