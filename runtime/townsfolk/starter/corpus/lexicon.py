"""The words that facts are made of, and facts composed of them."""

from collections.abc import Sequence
from random import Random

from townsfolk.starter.corpus import names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.split import Source

_TEXT = book("lexicon")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", ",").split(",") if word.strip())


TRADES = _TEXT["trades"]


ANIMALS = _TEXT["animals"]
MONSTERS = _TEXT["monsters"]
COLOURS = _TEXT["plain colours"] + _TEXT["rare colours"]
ADJECTIVES = _TEXT["adjectives"]
MATERIALS = _TEXT["materials"]
THINGS = _TEXT["things"]
FOODS = _TEXT["foods"]
FOOD_STYLES = _TEXT["food styles"]
PLACES_NEAR = _TEXT["places near"]
PAST_DEEDS = _TEXT["past deeds"]
OWNERS = _TEXT["owners"]
TRAITS = _TEXT["traits"]
JOYS = _TEXT["joys"]
DREADS = _TEXT["dreads"]
PEOPLE = _TEXT["people"]

COINS = _TEXT["coins"]

KIN_SHE = _TEXT["kin she"]
KIN_HE = _TEXT["kin he"]
KIN = KIN_SHE + KIN_HE
COMPANIONS = _TEXT["companions"]
BUILDINGS = _TEXT["buildings"]


_POSTS = _TEXT.triples("posts")
_DEEDS = _TEXT.triples("deeds")
_PRESENT_SECRETS = _TEXT.pairs("present secrets")
_IRREGULAR = dict(_TEXT.pairs("irregular plurals"))


def plural(noun: str) -> str:
    """Return the plural of an English noun: regular, or an exception of this module's words."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith("man"):
        return noun[:-2] + "en"
    return noun + "s"


def in_words(number: int) -> str:
    """Return a number from 1 to 99 in words."""
    if number < 20:
        return _TEXT["ones"][number - 1]
    ten, one = divmod(number, 10)
    return _TEXT["tens"][ten - 2] + (f"-{_TEXT['ones'][one - 1]}" if one else "")


def price(rng: Random) -> str:
    """Return an amount of money: ``12 silver``, ``1 penny``."""
    amount = int(pick(rng, _TEXT["amounts"]))
    if rng.random() < 0.2:
        amount = rng.randint(1, 500)
    coin = pick(rng, COINS)
    if coin == "copper" and rng.random() < 0.5:
        coin = "copper coin"
    count = in_words(amount) if amount < 100 and rng.random() < 0.25 else str(amount)
    return f"{count} {coin if amount == 1 else plural(coin)}"


COINED_SHARE = 0.2
"""How many nouns of a fact are invented, so that the model has to copy them."""


def noun(rng: Random, known: Sequence[str]) -> str:
    """Return a noun of the list, or an invented one."""
    return names.coined_word(rng) if rng.random() < COINED_SHARE else pick(rng, known)


def trade(rng: Random, split: Source) -> str:
    """Return a line of work: from the list, composed (``eel trapper``) or invented (``vesker``)."""

    def composed(r: Random) -> str:
        draw = r.random()
        if draw < 0.5:
            return f"{noun(r, _TEXT['trade materials'])} {pick(r, _TEXT['trade workers'])}"
        if draw < 0.6:
            return pick(r, _TEXT["trade materials"]) + pick(r, _TEXT["coined workers"])
        if draw < 0.7:
            return f"{pick(r, _TEXT['ranks'])} {pick(r, TRADES)}"
        return names.coined_word(r) + pick(r, _TEXT["coined workers"])

    if rng.random() < 0.45:
        return split.draw(rng, lambda r: pick(r, TRADES))
    return split.draw(rng, composed)


def thing(rng: Random, split: Source) -> str:
    """Something one can carry: ``small copper flute``."""

    def composed(r: Random) -> str:
        parts = [noun(r, THINGS)]
        if r.random() < 0.6:
            parts.insert(0, noun(r, MATERIALS))
        if r.random() < 0.4:
            parts.insert(0, pick(r, ADJECTIVES))
        return " ".join(parts)

    return split.draw(rng, composed)


def food(rng: Random, split: Source) -> str:
    """Return a dish or a drink: ``smoked trout``."""
    return split.draw(
        rng,
        lambda r: (
            f"{pick(r, FOOD_STYLES)} {noun(r, FOODS)}" if r.random() < 0.7 else noun(r, FOODS)
        ),
    )


def beasts(rng: Random, split: Source) -> str:
    """Animals of some kind: ``black geese``."""
    return split.draw(
        rng,
        lambda r: (
            f"{pick(r, _TEXT['plain colours'])} {plural(noun(r, ANIMALS))}"
            if r.random() < 0.3
            else plural(noun(r, ANIMALS))
        ),
    )


def monsters(rng: Random, split: Source) -> str:
    """Monsters of some kind."""
    return split.draw(rng, lambda r: plural(noun(r, MONSTERS)))


def people(rng: Random, split: Source) -> str:
    """Return a kind of people: ``nobles``, ``eel trappers``."""
    return (
        split.draw(rng, lambda r: pick(r, PEOPLE))
        if rng.random() < 0.5
        else plural(trade(rng, split))
    )


def _joy(rng: Random, split: Source) -> str:
    return split.draw(rng, lambda r: pick(r, JOYS))


def like(rng: Random, split: Source) -> str:
    """Something to enjoy or to hate; sometimes two things."""
    if rng.random() < 0.15:
        return f"{like(rng, split)} and {like(rng, split)}"
    return pick(rng, (food, food, beasts, people, _joy))(rng, split)


def fear(rng: Random, split: Source) -> str:
    """Something to be afraid of."""
    draw = rng.random()
    if draw < 0.4:
        return split.draw(rng, lambda r: pick(r, DREADS))
    if draw < 0.5:
        return split.draw(rng, lambda r: f"the {pick(r, ADJECTIVES)} {noun(r, PLACES_NEAR)}")
    if draw < 0.65:
        return beasts(rng, split)
    return people(rng, split) if draw < 0.75 else monsters(rng, split)


def secret(rng: Random, split: Source) -> tuple[str, str]:
    """Return what somebody did once or does in secret, as said of "I" and of "she".

    For example ``buried the mayor's tin cup under the well``, ``hides a widow's ring``.
    """
    owner = pick(rng, OWNERS)
    place = noun(rng, PLACES_NEAR)
    where = f" {pick(rng, _TEXT['hiding'])} the {place}" if rng.random() < 0.5 else ""
    what = f"{owner}'s {thing(rng, split)}{where}"
    if rng.random() < 0.7:
        past = f"{pick(rng, PAST_DEEDS)} {what}"
        return past, past
    mine, hers = pick(rng, _PRESENT_SECRETS)
    return f"{mine} {what}", f"{hers} {what}"


def deed(rng: Random, split: Source) -> tuple[str, str]:
    """Return what somebody does, as said of "I" and of "she": ``bake bread``, ``bakes bread``."""
    if rng.random() < 0.3:
        verb, verbs, what = pick(rng, _POSTS)
        return f"{verb} {what}", f"{verbs} {what}"
    verb, verbs, kind = pick(rng, _DEEDS)
    objects = {
        "food": lambda: food(rng, split),
        "things": lambda: plural(thing(rng, split)),
        "beasts": lambda: beasts(rng, split),
        "spot": lambda: f"the {noun(rng, PLACES_NEAR)}",
        "stuff": lambda: f"{noun(rng, MATERIALS)} and {noun(rng, _TEXT['trade materials'])}",
        "people": lambda: people(rng, split),
        "house": lambda: names.house(rng, split),
    }
    what = objects[kind]()
    return f"{verb} {what}", f"{verbs} {what}"
