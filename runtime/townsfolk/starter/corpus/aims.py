"""What a character wants and what it never does. The possessive stays open as ``{poss}``."""

from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character
from townsfolk.starter.corpus.grammar import capitalise, fill, pick
from townsfolk.starter.corpus.split import Source

_TEXT = book("aims")


def aims(character: Character, rng: Random, split: Source) -> None:
    """Give the character goals and taboos, or not."""
    if rng.random() < 0.4:
        character.goals = [
            _aim(_TEXT["goals"], character, rng, split) for _ in range(pick(rng, (1, 1, 2, 3)))
        ]
    if rng.random() < 0.3:
        character.taboos = [
            _aim(_TEXT["taboos"], character, rng, split) for _ in range(pick(rng, (1, 1, 2)))
        ]


def _aim(templates: tuple[str, ...], character: Character, rng: Random, split: Source) -> str:
    slots = {
        "poss": "{poss}",
        "price": lexicon.price(rng),
        "work": character.work or "the shop",
        "home": character.home or "the village",
        "trade": character.trade or "helper",
        "other trade": lexicon.trade(rng, split),
        "thing": lexicon.thing(rng, split),
        "kin": pick(rng, lexicon.KIN),
        "foes": lexicon.monsters(rng, split),
        "people": lexicon.people(rng, split),
        "beasts": lexicon.beasts(rng, split),
        "food": lexicon.food(rng, split),
        "place": names.place(rng, split),
        "spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "noun": lexicon.noun(rng, lexicon.BUILDINGS),
        "part": pick(rng, _TEXT["part"]),
        "kept": pick(rng, _TEXT["kept"]),
        "name": names.given_name(rng, split, rng.random() < 0.5),
        "time": pick(rng, _TEXT["times"]),
        "season": pick(rng, _TEXT["season"]),
        "day": pick(rng, _TEXT["day"]),
        "number": lexicon.in_words(rng.randint(2, 20)),
        "villain": pick(rng, _TEXT["villains"]),
    }
    slots["crime"] = fill(pick(rng, _TEXT["crimes"]), rng, slots)
    slots["reason"] = fill(pick(rng, _TEXT["reasons"]), rng, slots)
    return fill(pick(rng, templates), rng, slots)


def possessive(text: str, poss: str) -> str:
    """Return a goal or taboo with its possessive filled in."""
    return text.replace("{poss}", poss)


def written(items: list[str], character: Character, rng: Random) -> tuple[str, ...]:
    """Goals or taboos as a developer writes them: capital or not, ``her``, ``your`` or ``my``."""
    poss = pick(rng, ("her" if character.name.she else "his", "your", "my"))
    capital = rng.random() < 0.5
    texts = [possessive(item, poss) for item in items]
    return tuple(capitalise(text) if capital else text for text in texts)
