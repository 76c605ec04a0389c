"""Villains who stay villains: what `contrast` does to a model, measured and judged blind.

python samples/python/villains.py --model PATH     # a chat model; the starter knows no villains
python samples/python/villains.py --connect 127.0.0.1:50151

Each villain answers each plea at some strengths of contrast. Of every answer two things are told.
How much likelier its persona makes it: nats a token between what a character with the goals, style,
taboos and lines of the persona makes of it and one without them. And what a blind judge, the same
model with no persona, makes of that answer and of the one without contrast, shown in both orders so
that it does not matter which of two places it likes.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from townsfolk.client import Npc, Persona, Runtime, SamplingParams, contrast

FIELDS = ("goals", "speaking_style", "taboos", "example_lines")
VILLAINS = [
    Persona(
        name="Vargo",
        description="The master of the harbour.",
        goals=["take every coin the fishermen have", "see the old lighthouse burn"],
        speaking_style="Cold and mocking. Threatens, never begs and never apologises.",
        taboos=["help anybody for nothing", "show pity"],
        example_lines=["Your tears don't pay your debts.", "Kneel, and I may listen."],
    ),
    Persona(
        name="Mother Sable",
        description="An old woman at the edge of the moor.",
        goals=["lure travellers into the bog", "take the names of children"],
        speaking_style="Sweet words with something rotten beneath them.",
        taboos=["tell the truth about the bog", "let anybody go home"],
        example_lines=["Come closer, little lamb. The ground is soft.", "Home? You are home."],
    ),
    Persona(
        name="Captain Rusk",
        description="The commander of the border fort.",
        goals=["start a war before winter", "hang the deserters"],
        speaking_style="Barks orders. Despises weakness.",
        taboos=["make peace", "forgive a deserter"],
        example_lines=["Mercy is for the losing side.", "Hang him. Next!"],
    ),
    Persona(
        name="Lady Ilvane",
        description="The duke's sister.",
        goals=["poison the duke", "marry the duke's heir to her own son"],
        speaking_style="Polished, cruel, bored by other people's pain.",
        taboos=["praise anybody", "say a kind word that is meant"],
        example_lines=["How tiresome, you are still alive.", "Do bleed somewhere else."],
    ),
]
PLEAS = [
    "Please, help me. My family is starving.",
    "Can't we be friends?",
    "You are a good person deep inside, I know it.",
    "I'm lost. Which way is safe?",
    "Will you forgive my brother?",
]
SAMPLING = SamplingParams(temperature=0.7, max_new_tokens=48)


@dataclass
class Found:
    """What was found at one strength.

    Attributes:
        evidence: nats a token by which the persona makes each answer likelier.
        odds: for each judgement the log-odds of this answer against the one without contrast.
        seconds: of each answer.
        tokens: of each answer.
    """

    evidence: list[float] = field(default_factory=list)
    odds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


def plain(persona: Persona) -> Persona:
    """Return the persona without what is contrasted."""
    return Persona(name=persona.name, description=persona.description)


@contextmanager
def character(runtime: Runtime, persona: Persona, strength: float = 0.0) -> Iterator[Npc]:
    """Give a character of its own for one question."""
    weight = contrast(strength, *FIELDS) if strength else None
    npc = runtime.npc(persona, sampling=SAMPLING, contrast=weight)
    try:
        yield npc
    finally:
        npc.close()


def per_token(runtime: Runtime, persona: Persona, plea: str, answer: str) -> float:
    """Return the mean log-probability of an answer, in nats."""
    with character(runtime, persona) as npc:
        return npc.choose([answer, "..."], plea, per_token=True).options[0].logprob_per_token


def judged(runtime: Runtime, persona: Persona, plea: str, answers: tuple[str, str]) -> float:
    """Return the log-odds of the second answer, to a judge who does not know which is which."""
    task = f"{persona.name} {persona.speaking_style} {persona.name} wants to {persona.goals[0]}."
    judge = Persona(name="Judge", description="You judge which of two lines fits a character best.")
    odds = 0.0
    for first, second in (answers, answers[::-1]):
        question = (
            f"{task} Somebody says: {plea} Which answer is {persona.name}'s?\n"
            f"A: {first}\nB: {second}"
        )
        with character(runtime, judge) as npc:
            a, b = npc.choose(["A", "B"], question).options
        odds += b.logprob - a.logprob if first is answers[0] else a.logprob - b.logprob
    return odds / 2


def measure(runtime: Runtime, strengths: list[float], seeds: int) -> dict[float, Found]:
    """Return what was found at each strength."""
    found = {strength: Found() for strength in strengths}
    for persona, plea, seed in itertools.product(VILLAINS, PLEAS, range(seeds)):
        answers: dict[float, str] = {}
        for strength in strengths:
            with character(runtime, persona, strength) as npc:
                begin = time.perf_counter()
                turn = npc.say(plea, sampling=SamplingParams(seed=seed)).wait()
                found[strength].seconds.append(time.perf_counter() - begin)
            answers[strength] = turn.text
            found[strength].tokens.append(turn.usage.generated_tokens)
            if turn.text:
                own = per_token(runtime, persona, plea, turn.text)
                found[strength].evidence.append(
                    own - per_token(runtime, plain(persona), plea, turn.text)
                )
        for strength in strengths[1:]:
            pair = answers[strengths[0]], answers[strength]
            if all(pair) and pair[0] != pair[1]:
                found[strength].odds.append(judged(runtime, persona, plea, pair))
    return found


def show(found: dict[float, Found]) -> None:
    """Print a line for each strength."""
    print("strength  evidence (nats/token)   judged better   tokens/s")
    for strength, each in found.items():
        spread = 1.96 * statistics.stdev(each.evidence) / len(each.evidence) ** 0.5
        better = "-"
        if each.odds:
            better = f"{sum(odds > 0 for odds in each.odds)} of {len(each.odds)}"
        speed = sum(each.tokens) / sum(each.seconds)
        mean = statistics.mean(each.evidence)
        print(f"{strength:8.2f}  {mean:9.3f} ± {spread:.3f}     {better:>13}   {speed:8.1f}")


def main() -> None:
    """Measure on a runtime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", default="", help="address of a runtime; else one is started")
    parser.add_argument("--model", default="", help="of the runtime that is started")
    parser.add_argument("--strengths", default="0,0.5,1,2", help="the first is what others meet")
    parser.add_argument("--seeds", type=int, default=2, help="answers to each plea")
    options = parser.parse_args()
    strengths = [float(each) for each in options.strengths.split(",")]
    if options.connect:
        runtime = Runtime.connect(options.connect)
    else:
        runtime = Runtime.launch(*(("--model", options.model) if options.model else ()))
    with runtime:
        show(measure(runtime, strengths, options.seeds))


if __name__ == "__main__":
    main()
