"""A merchant who haggles: `townsfolk learn merchant:Merchant --base starter -o adapters/merchant`.

Run it in this folder. The buyers and their words are in merchant.yaml: some to learn from, others
that nobody learns from, to measure with.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import yaml
from townsfolk.client import ActionParameter, ActionSpec, Persona
from townsfolk.learning.environment import Action, Observation
from townsfolk.v1.dialogue_pb2 import PARAMETER_TYPE_INTEGER

DATA = yaml.safe_load(Path(__file__).with_name("merchant.yaml").read_text(encoding="utf-8"))


class Merchant:
    """A merchant sells one thing to one buyer, who says no more than so many times.

    He names a price before he takes an offer: who always takes the first one never learns what
    else he would have been paid. The reward is the merchant's share of what the buyer would have
    paid beyond the cost: 1 for the highest price that the buyer takes, 0 for no sale, and less than
    0 for a sale below cost.
    """

    persona = Persona(**DATA["persona"])
    actions = (
        ActionSpec(
            name="ask",
            description="ask for a price in coins",
            parameters=[
                ActionParameter(name="price", type=PARAMETER_TYPE_INTEGER, minimum=1, maximum=60)
            ],
        ),
        ActionSpec(name="accept", description="take the buyer's offer"),
    )

    def __init__(self, held_out: bool = False) -> None:
        """Deal with the buyers to learn from, or with those that nobody learns from."""
        self._kinds = DATA["held_out" if held_out else "buyers"]

    def reset(self, seed: int) -> Observation:
        """A buyer comes and makes an offer."""
        rng = Random(seed)
        self._kind, self._ware = rng.choice(self._kinds), rng.choice(DATA["wares"])
        self._cost = rng.randint(5, 15)
        self._most = self._cost + rng.randint(*self._kind["worth"])
        self._offer = round(self._cost + (self._most - self._cost) * self._kind["first"])
        self._left = self._kind["patience"]
        opening: str = self._kind["opening"]
        text = opening.format(ware=self._ware, offer=self._offer, cost=self._cost)
        return Observation(text, actions=["ask"])

    def step(self, action: Action) -> tuple[str, float, bool]:
        """The buyer takes the price, offers more, or leaves."""
        price = self._offer if action.name == "accept" else action.arguments["price"]
        if action.name == "accept" or price <= self._most:
            return "Sold.", (price - self._cost) / (self._most - self._cost), True
        self._left -= 1
        if self._left <= 0:
            return "The buyer leaves.", 0.0, True
        self._offer += round((self._most - self._offer) * self._kind["raise"])
        return self._kind["refusal"].format(offer=self._offer, price=price), 0.0, False
