"""A guard who decides: a mood, a bark and a decision by `choose`, data by a schema, and an action.

python samples/python/decisions.py                        # starts a runtime with the starter model
python samples/python/decisions.py --connect 127.0.0.1:50151

Nothing here is parsed out of prose: each answer is one that the game can use as it is.
"""

from __future__ import annotations

import argparse
import json
from typing import Literal

from townsfolk.client import (
    ActionRefusedError,
    ActionsNow,
    Npc,
    Persona,
    Runtime,
    json_schema,
)

GUARD = Persona(
    name="Garrick",
    description="The guard of the cellar door. He is honest, and likes ale.",
    speaking_style="Short and gruff.",
)
MOODS = ["calm", "amused", "suspicious", "angry"]
BARKS = [
    "Move along, nothing to see here.",
    "Cold night for it, friend.",
    "I have my eye on you.",
]
SCHEMA = {
    "type": "object",
    "properties": {
        "trusts_player": {"type": "boolean"},
        "price": {"type": "integer", "minimum": 0, "maximum": 50},
    },
    "required": ["trusts_player", "price"],
}
gold = 5


def open_door(door: Literal["cellar", "gate"]) -> str:
    """Opens a door for the player."""
    if gold < 3:
        raise ActionRefusedError("the player can't pay the three gold")
    return f"the {door} stands open"


def decide(npc: Npc) -> None:
    """Print a mood, a bark and a decision; the conversation does not change."""
    mood = npc.choose(MOODS, "(How do you feel about the player?)")
    print("mood:", {option.text: round(option.probability, 3) for option in mood.options})
    bark = npc.choose(BARKS, "(Somebody walks past.)", per_token=True, draw=True, seed=4)
    print("bark:", bark.text)
    lets_in = npc.choose(["Yes.", "No."], "Will you let me in?")
    print(f"lets the player in: {lets_in.text} (probability {lets_in.probability:.2f})")


def act(npc: Npc) -> None:
    """Have the guard answer with data, then take an action."""
    data = npc.say("What do you ask for the key?", grammar=json_schema(SCHEMA)).wait()
    print("data:", json.loads(data.text))
    # A model that knows actions takes one by itself where it fits; the starter model is told to.
    turn = npc.say("Open up, please.", actions=ActionsNow(names=["open_door"], required=True))
    for event in turn.events():
        match event.WhichOneof("event"):
            case "text_delta":
                print(event.text_delta.text, end="", flush=True)
            case "action_settled":
                print(f"\n  [{event.action_settled.text}]")
    print()


def main() -> None:
    """Run the sample."""
    parser = argparse.ArgumentParser(description="A guard who decides.")
    parser.add_argument("--connect", metavar="HOST:PORT", help="a runtime that runs already")
    options = parser.parse_args()
    runtime = Runtime.connect(options.connect) if options.connect else Runtime.launch()
    with runtime:
        npc = runtime.npc(GUARD, actions=[open_door])
        npc.say("Good evening.").wait()
        decide(npc)
        act(npc)


if __name__ == "__main__":
    main()
