"""A guard who finds the smuggler: `townsfolk learn guard:Guard --base starter -o adapters/guard`.

Run it in this folder. What the guard sees and hears is in guard.yaml: some to learn from, other
words that nobody learns from, to measure with.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import yaml
from townsfolk.client import ActionParameter, ActionSpec, Persona
from townsfolk.learning.environment import Action, Observation

DATA = yaml.safe_load(Path(__file__).with_name("guard.yaml").read_text(encoding="utf-8"))
SUSPECTS, TOPICS = DATA["suspects"], DATA["topics"]


class Guard:
    """One of three travellers smuggles, and a trace tells by what he can be known.

    The guard asks to see something of theirs, and something else, until what the trace is of shows
    who it is; then he accuses one. The reward is 1 for the smuggler and -1 for another, and each
    question costs 0.1: it pays to read the trace, and to listen.
    """

    persona = Persona(**DATA["persona"])
    actions = (
        *(
            ActionSpec(name=f"see_{topic}", description=f"ask to see the {topic} of all three")
            for topic in TOPICS
        ),
        ActionSpec(
            name="accuse",
            description="accuse one of them",
            parameters=[ActionParameter(name="who", options=SUSPECTS)],
        ),
    )

    def __init__(self, held_out: bool = False) -> None:
        """See and hear the words to learn from, or those that nobody learns from."""
        self._words = DATA["held_out" if held_out else "learned"]

    def reset(self, seed: int) -> Observation:
        """A trace, and three travellers."""
        self._rng = Random(seed)
        self._smuggler, self._topic = self._rng.choice(SUSPECTS), self._rng.choice(TOPICS)
        self._unseen = list(TOPICS)
        return self._next(self._rng.choice(self._words["traces"][self._topic]))

    def step(self, action: Action) -> tuple[Observation, float, bool]:
        """They show what they are asked for, or one is led away."""
        if action.name == "accuse":
            found = action.arguments["who"] == self._smuggler
            return Observation("It is done."), 1.0 if found else -1.0, True
        topic = action.name.removeprefix("see_")
        self._unseen.remove(topic)
        if topic == self._topic:
            seen = self._rng.choice(self._words["found"]).format(topic=topic, who=self._smuggler)
            return Observation(seen, actions=["accuse"]), -0.1, False
        return self._next(self._rng.choice(self._words["nothing"]).format(topic=topic)), -0.1, False

    def _next(self, text: str) -> Observation:
        """Ask on: an untrained model would accuse somebody at once, and whom is luck then."""
        return Observation(text, actions=[f"see_{topic}" for topic in self._unseen])
