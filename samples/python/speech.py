"""A character who acts while it speaks: what a voice says, and what an animation shows.

python samples/python/speech.py                         # starts a runtime with the starter model
python samples/python/speech.py --connect 127.0.0.1:50151

Sentences go to a voice, stage directions ("slams the tankard") to an animation. In the middle of
the second answer the player walks away: the character remembers as much as the voice had said.
"""

from __future__ import annotations

import argparse

from townsfolk.client import Npc, Persona, Runtime, SamplingParams, speech

BRANN = Persona(
    name="Brann",
    description="The blacksmith of Kelder. His brother fell in the war.",
    speaking_style="Gruff. Shows what he does between asterisks: *wipes his hands*.",
    example_lines=("*hammers on* What do you need?", "Hm. *shrugs* As you like."),
)


def hear(npc: Npc, line: str, *, sentences: int | None = None) -> None:
    """Say a line and play the answer; walk away after so many sentences."""
    print(f"> {line}")
    turn = npc.say(line)
    said = 0
    for event in turn.events():
        match event.WhichOneof("event"):
            case "sentence_completed":
                sentence = event.sentence_completed
                if sentences is not None and said >= sentences:
                    continue  # the player has gone
                said += 1
                print(f"  voice:     {sentence.text}")
                if said == sentences:
                    turn.interrupt(sentence.offset + sentence.length)
            case "direction_given":
                print(f"  animation: {event.direction_given.text}")
    print(f"  remembers: {turn.text}")


def main() -> None:
    """Speak to the character."""
    parser = argparse.ArgumentParser(description="A character who acts while it speaks.")
    parser.add_argument("--connect", metavar="HOST:PORT", help="a runtime that runs already")
    parser.add_argument("--model", default="auto", help="what a runtime of its own speaks with")
    options = parser.parse_args()
    runtime = (
        Runtime.connect(options.connect)
        if options.connect
        else Runtime.launch("--model", options.model)
    )
    # He is not to say the same again, and a reply that goes round in circles is said anew.
    sampling = SamplingParams(dry_multiplier=0.8, retry_repetition=True, max_new_tokens=80)
    with runtime, runtime.npc(BRANN, sampling=sampling, speech=speech("apart")) as npc:
        hear(npc, "Good evening! Can you mend my sword?")
        hear(npc, "Tell me about your brother.", sentences=1)


if __name__ == "__main__":
    main()
