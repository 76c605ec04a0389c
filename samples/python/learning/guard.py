"""A guard who finds the smuggler: `townsfolk learn guard:Guard --base starter -o adapters/guard`.

Run it in this folder. What suspects say is in guard.yaml: some to learn from, other words that
nobody learns from, to measure with.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import yaml
from townsfolk.client import ActionParameter, ActionSpec, Persona

if TYPE_CHECKING:
    from townsfolk.learning.environment import Action

DATA = yaml.safe_load(Path(__file__).with_name("guard.yaml").read_text(encoding="utf-8"))
SUSPECTS = DATA["suspects"]


class Guard:
    """One of three travellers smuggles, and shows it when he is questioned.

    The reward is 1 for the arrest of the smuggler and 0 for that of another; each question costs
    0.1, and after four the smuggler is gone.
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

    def reset(self, seed: int) -> str:
        """Three travellers stand at the gate."""
        self._rng = Random(seed)
        self._smuggler = self._rng.choice(SUSPECTS)
        self._questions = 0
        return DATA["opening"]

    def step(self, action: Action) -> tuple[str, float, bool]:
        """A traveller answers, or is led away."""
        who = action.arguments["who"]
        if action.name == "arrest":
            return "It is done.", float(who == self._smuggler), True
        self._questions += 1
        if self._questions >= 4:
            return "The smuggler is gone.", -0.1, True
        words = self._rng.choice(self._words["guilty" if who == self._smuggler else "honest"])
        return words.format(who=who), -0.1, False
