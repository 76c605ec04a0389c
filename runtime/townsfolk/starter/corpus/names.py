"""Names of people, places and houses: lists for usual ones, syllables for endless others."""

from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import capitalise, pick
from townsfolk.starter.corpus.split import Source, Split

_TEXT = book("names")


@dataclass(frozen=True, slots=True)
class Name:
    """What somebody is called."""

    full: str
    """As the persona gives it: ``Captain Ysolde Marr``."""
    short: str
    """What friends say: ``Ysolde``."""
    she: bool


def _syllables(rng: Random, ends: tuple[str, ...], middles: tuple[int, ...]) -> str:
    parts = [pick(rng, _TEXT["onsets"]) if rng.random() < 0.8 else "", pick(rng, _TEXT["vowels"])]
    for _ in range(pick(rng, middles)):
        parts += [pick(rng, _TEXT["middles"]), pick(rng, _TEXT["vowels"])]
    end = pick(rng, ends)
    parts.append(end if end[0] not in "aeiouy" else pick(rng, _TEXT["middles"]) + end)
    return capitalise("".join(parts))


def coined_word(rng: Random) -> str:
    """Return an invented noun, ``grondle`` or ``vesk``. Facts of such words can only be copied."""

    def word(r: Random) -> str:
        draw = r.random()
        if draw < 0.3:
            return pick(r, _TEXT["onsets"]) + pick(r, _TEXT["vowels"]) + pick(r, _TEXT["middles"])
        if draw < 0.5:
            return (pick(r, _TEXT["family first"]) + pick(r, _TEXT["family last"])).lower()
        return _syllables(r, _TEXT["word ends"], (0,)).lower()

    # Words are parts of facts; the facts are split, and no word may give a held-out name away.
    return Split.TRAIN.draw(rng, word)


def given_name(rng: Random, split: Source, she: bool) -> str:
    """Return a first name; one in four is a well-known one, the rest are invented."""
    if rng.random() < 0.25:
        return split.draw(rng, lambda r: pick(r, _TEXT["she" if she else "he"]))
    ends = _TEXT["ends she"] if she else _TEXT["ends he"]
    return split.draw(rng, lambda r: _syllables(r, ends, (0, 0, 0, 1)))


def family_name(rng: Random, split: Source) -> str:
    """Return a family name."""
    if rng.random() < 0.6:
        return split.draw(
            rng, lambda r: pick(r, _TEXT["family first"]) + pick(r, _TEXT["family last"])
        )
    return split.draw(rng, lambda r: _syllables(r, _TEXT["ends he"], (0, 0, 1)))


def person(rng: Random, split: Source) -> Name:
    """Somebody's name, with or without family name, title or epithet."""
    she = rng.random() < 0.5
    first = given_name(rng, split, she)
    draw = rng.random()
    if draw < 0.45:
        full = first
    elif draw < 0.8:
        full = f"{first} {family_name(rng, split)}"
    elif draw < 0.92:
        full = f"{pick(rng, _TEXT['titles she'] if she else _TEXT['titles he'])} {first}"
        if rng.random() < 0.2:
            full += f" {family_name(rng, split)}"
    else:
        full = f"{first} {pick(rng, _TEXT['epithets'])}"
    return Name(full, first, she)


def place(rng: Random, split: Source) -> str:
    """Return a town, a village or a land."""

    def core(r: Random) -> str:
        if r.random() < 0.55:
            return pick(r, _TEXT["place first"]) + pick(r, _TEXT["place last"])
        return _syllables(r, _TEXT["place ends"], (0, 0, 1))

    # ``Port Merrow`` is held out by ``Merrow``: no form of a place may give it away.
    name = split.draw(rng, core)
    return pick(rng, _TEXT["place forms"]).replace("*", name) if rng.random() < 0.3 else name


def house(rng: Random, split: Source) -> str:
    """Return an inn, a shop: ``the Salted Herring``."""

    def name(r: Random) -> str:
        draw = r.random()
        if draw < 0.75:
            return f"the {pick(r, _TEXT['house adjectives'])} {pick(r, _TEXT['house nouns'])}"
        if draw < 0.9:
            return f"the {pick(r, _TEXT['house nouns'])} and {pick(r, _TEXT['house nouns'])}"
        return f"the {pick(r, _TEXT['house nouns'])}'s {pick(r, _TEXT['house parts'])}"

    return split.draw(rng, name)


def ship(rng: Random, split: Source) -> str:
    """Return a ship: ``the Grey Petrel``."""
    return split.draw(
        rng, lambda r: f"the {pick(r, _TEXT['house adjectives'])} {pick(r, _TEXT['ship nouns'])}"
    )
