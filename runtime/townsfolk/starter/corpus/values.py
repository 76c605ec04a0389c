"""Kinds of values that books ask for by name, such as ``place`` or ``price``."""

from collections.abc import Callable, Mapping
from random import Random
from typing import TypeAlias

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.split import Source

_TEXT = book("values")

Generator: TypeAlias = Callable[[Random, Source], str]
"""Draws a value of this side of the split."""


def given_name(rng: Random, split: Source) -> str:
    """Return a first name."""
    return names.given_name(rng, split, rng.random() < 0.5)


def somebody(rng: Random, split: Source) -> str:
    """Return somebody's name, with or without family name."""
    first = given_name(rng, split)
    return f"{first} {names.family_name(rng, split)}" if rng.random() < 0.25 else first


def _ruler(rng: Random, split: Source) -> str:
    she = rng.random() < 0.5
    title = pick(rng, _TEXT["titles she" if she else "titles he"])
    return f"{title} {names.given_name(rng, split, she)}"


def _monster(rng: Random, split: Source) -> str:
    return split.draw(rng, lambda r: pick(r, lexicon.MONSTERS))


def _colour(rng: Random, split: Source) -> str:
    return split.draw(rng, lambda r: pick(r, _TEXT["shades"]) + pick(r, lexicon.COLOURS))


def _plan(rng: Random, split: Source) -> str:
    verb = pick(rng, _TEXT["plans"])
    article = pick(rng, ("a", "the"))
    return f"{verb} {article} {lexicon.thing(rng, split)}"


def _of(options: tuple[str, ...]) -> Generator:
    return lambda rng, _: pick(rng, options)


day = _of(_TEXT["days"])
"""Draws when something is held."""

GENERATORS: Mapping[str, Generator] = {
    "age": lambda rng, _: str(rng.randint(2, 99)),
    "colour": _colour,
    "day": day,
    "fear": lexicon.fear,
    "food": lexicon.food,
    "given name": given_name,
    "hour": _of(_TEXT["hours"]),
    "house": names.house,
    "monster": _monster,
    "place": names.place,
    "plan": _plan,
    "price": lambda rng, _: lexicon.price(rng),
    "ruler": _ruler,
    "ship name": lambda rng, split: names.house(rng, split).removeprefix("the "),
    "somebody": somebody,
    "spot": lambda rng, _: f"the {pick(rng, lexicon.PLACES_NEAR)}",
    "thing": lexicon.thing,
    "trade": lexicon.trade,
    "years": lambda rng, _: str(rng.randint(5, 900)),
}


def generator(told: Book, key: str) -> Generator:
    """Return what draws the values of a key.

    Args:
        told: The section.
        key: Holds the name of a generator, or the texts to draw from.

    Raises:
        BookError: There is no generator of that name.
    """
    texts = told[key]
    if len(texts) > 1:
        return _of(texts)
    if texts[0] not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise told.lines[key][0].error(
            f"no kind of value is called {texts[0]!r}; there are {known}"
        )
    return GENERATORS[texts[0]]
