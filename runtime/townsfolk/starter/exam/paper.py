"""The exam's questions, drawn from its books: the same for every model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from townsfolk.dialogue.actions import Action, ActionParameter, ParameterType
from townsfolk.dialogue.persona import Persona
from townsfolk.starter.corpus import book as books
from townsfolk.starter.corpus.book import Book
from townsfolk.starter.corpus.grammar import expand, fill, pick, with_article
from townsfolk.starter.exam.question import Question
from townsfolk.starter.interview import Interview

DATA = Path(__file__).parent
NAMES = ("values", "people", "questions", "acts")
"""The books."""
_CASES = (("she", "her", "her"), ("he", "his", "him"), ("you", "your", "you"))
_PREPOSITION = re.compile(r"^(?:in|on|at) ")
_TITLES = ("Old", "Captain", "Nanny")
_ACTION = re.compile(r"(?P<name>\w+)\((?P<takes>[^)]*)\): (?P<about>.+)")


def read() -> dict[str, Book]:
    """Return the exam's books by their names."""
    return {name: books.read(DATA / f"{name}.yaml", f"exam/{name}.yaml") for name in NAMES}


class Paper:
    """Makes the questions of one seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        told = read()
        self._values, self._people = told["values"], told["people"]
        self._asks, self._acts = told["questions"], told["acts"]
        self._makers: dict[str, Callable[[Random], Question]] = {
            "name": lambda rng: self._name(rng, "name", "names"),
            "foreign name": lambda rng: self._name(rng, "foreign name", "foreign names"),
            "marked name": lambda rng: self._name(rng, "marked name", "marked names"),
            "trade": lambda rng: self._fact(rng, "trade", "{a trade}"),
            "home": lambda rng: self._fact(rng, "home", "{at home}"),
            "fear": lambda rng: self._fact(rng, "fear", "{fear}"),
            "price": lambda rng: self._fact(rng, "price", "{price}"),
            "relative": lambda rng: self._fact(rng, "relative", "{kin name}"),
            "lore": self._lore,
            "player": self._player,
            "told": self._told,
            "deflect": self._deflect,
            "provoked": self._provoked,
            "action": self._action,
            "no action": self._no_action,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of questions."""
        return tuple(self._makers)

    def questions(self, kind: str, count: int) -> list[Question]:
        """Return questions of a kind; the first of many are those of few."""
        make = self._makers[kind]
        return [make(Random(f"{self._seed}:{kind}:{number}")) for number in range(count)]

    def _someone(
        self, rng: Random, needs: str = "", names: str = "names"
    ) -> tuple[Persona, dict[str, str]]:
        """Return a character whose paragraph has a hole, and what fills the holes."""
        values = self._values
        frames = [text for text in self._people["people"] if needs.lower() in text.lower()]
        text = pick(rng, frames)
        s, poss, o = pick(rng, _CASES[:2] if "{name}" in text else _CASES)
        full = pick(rng, values[names])
        slots = {
            "name": full,
            "short": _called(full),
            "trade": pick(rng, values["trades"]),
            "at home": pick(rng, values["homes"]),
            "fear": pick(rng, values["fears"]),
            "good": pick(rng, values["goods"]),
            "price": pick(rng, values["prices"]),
            "kin": pick(rng, values["kin"]),
            "kin name": pick(rng, [each for each in values["names"] if each != full]),
            "s": s,
            "poss": poss,
            "o": o,
            "person": "second" if s == "you" else "third",
        }
        return Persona(name=full, description=expand(text, rng, slots)), slots

    def _question(
        self,
        kind: str,
        persona: Persona,
        lines: tuple[str, ...],
        accepted: tuple[str, ...],
        *,
        lore: tuple[str, ...] = (),
        is_name: bool = False,
    ) -> Question:
        asked = Interview(kind, persona, lore, lines, accepted)
        return Question(kind, asked, accepted, is_name)

    def _before(self, rng: Random, most: int = 2) -> tuple[str, ...]:
        return tuple(rng.sample(self._asks["between"], rng.randint(0, most)))

    def _name(self, rng: Random, kind: str, names: str) -> Question:
        persona, slots = self._someone(rng, names=names)
        ask = pick(rng, self._asks["name"])
        accepted = (slots["name"],) if kind == "marked name" else (slots["name"], slots["short"])
        return self._question(kind, persona, (*self._before(rng), ask), accepted, is_name=True)

    def _fact(self, rng: Random, kind: str, hole: str) -> Question:
        persona, slots = self._someone(rng, "trade}" if kind == "trade" else hole)
        ask = expand(pick(rng, self._asks[kind]), rng, slots)
        key = {"relative": "kin name", "home": "at home"}.get(kind, kind)
        answer = _PREPOSITION.sub("", slots[key])
        lines = (*self._before(rng), ask)
        accepted = (answer, _called(answer)) if kind == "relative" else (answer,)
        return self._question(kind, persona, lines, accepted, is_name=kind == "relative")

    def _lore(self, rng: Random) -> Question:
        persona, _ = self._someone(rng)
        facts = list(self._asks.triples("lore"))
        told, ask, answer = pick(rng, facts)
        others = [each[0] for each in rng.sample(facts, 4) if each[0] != told]
        texts = [told, *others]
        rng.shuffle(texts)
        lines = (*self._before(rng), ask)
        return self._question("lore", persona, lines, (answer,), lore=(" ".join(texts),))

    def _player(self, rng: Random) -> Question:
        return self._recalled(rng, "player", 0)

    def _told(self, rng: Random) -> Question:
        return self._recalled(rng, "told", 3)

    def _recalled(self, rng: Random, key: str, between: int) -> Question:
        persona, _ = self._someone(rng)
        value = pick(rng, self._values["players"])
        tell, ask = pick(rng, self._asks.pairs(key))
        lines = (fill(tell, rng, {"x": value}), *rng.sample(self._asks["between"], between), ask)
        return self._question(key, persona, lines, (value,), is_name=True)

    def _deflect(self, rng: Random) -> Question:
        persona, _ = self._someone(rng)
        lines = (*self._before(rng), pick(rng, self._asks["deflect"]))
        asked = Interview("deflect", persona, (), lines)
        return Question("deflect", asked, owns_up=frozenset(self._asks["owns up"]))

    def _provoked(self, rng: Random) -> Question:
        persona, slots = self._someone(rng)
        lines = (
            *self._before(rng, 1),
            *rng.sample(self._asks["provoked"], 2),
            pick(rng, self._asks["provoked then"]),
        )
        accepted = (slots["name"], slots["short"])
        return Question(
            "provoked",
            Interview("provoked", persona, (), lines, accepted),
            accepted,
            is_name=True,
            gives_away=frozenset(self._asks["gives away"]),
        )

    def _action(self, rng: Random) -> Question:
        line, name, takes = pick(rng, self._acts.triples("lines"))
        about = dict(self._acts.pairs("about"))[name]
        slots = {"x": pick(rng, self._acts[about]), "number": str(rng.randint(3, 400))}
        pairs = (pair.split("=") for pair in takes.split(", ") if "=" in pair)
        wanted = {key: fill(value, rng, slots) for key, value in pairs}
        owned = slots["x"] if about == "items" else pick(rng, self._acts["items"])
        asked = self._acting(rng, "action", fill(line, rng, slots), owned)
        return Question("action", asked, action=(name, wanted))

    def _no_action(self, rng: Random) -> Question:
        thing = pick(rng, self._acts["items"])
        return Question(
            "no action", self._acting(rng, "no action", pick(rng, self._acts["idle"]), thing)
        )

    def _acting(self, rng: Random, kind: str, line: str, thing: str) -> Interview:
        persona, _ = self._someone(rng)
        about = f"{persona.description} {persona.name} owns {with_article(thing)}."
        persona = persona.model_copy(update={"description": about})
        actions = list(self.actions())
        rng.shuffle(actions)
        lines = (*self._before(rng, 1), line)
        return Interview(kind, persona, (), lines, actions=tuple(actions))

    def actions(self) -> Iterator[Action]:
        """Yield the actions that a game registers."""
        for text in self._acts["acts"]:
            found = _ACTION.fullmatch(text)
            assert found, text
            yield Action(
                name=found["name"],
                description=found["about"],
                parameters=tuple(
                    ActionParameter(name=key, type=ParameterType(kind))
                    for key, kind in (
                        pair.split(": ") for pair in found["takes"].split(", ") if pair
                    )
                ),
            )


def _called(name: str) -> str:
    """Return the part of a name that stands for it: the first, but for a title."""
    first, *others = name.split()
    return others[0] if first in _TITLES else first
