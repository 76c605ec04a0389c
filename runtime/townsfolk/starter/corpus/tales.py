"""Sentences about something, told again when somebody asks: the model learns to find them."""

from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import capitalise, expand, fill, pick
from townsfolk.starter.corpus.split import Source
from townsfolk.starter.corpus.truths import Known, Truth
from townsfolk.starter.corpus.values import day, somebody

_TEXT = book("tales")
_TALES = _TEXT.pairs("tales")


def tale(rng: Random, split: Source) -> Known:
    """Return a sentence about somebody, a place or something, and the questions it answers."""
    subject, template = pick(rng, _TALES)
    slots = {
        "spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "other spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "thing": lexicon.thing(rng, split),
        "name": somebody(rng, split),
        "trade": lexicon.trade(rng, split),
        "place": names.place(rng, split),
        "other place": names.place(rng, split),
        "people": lexicon.people(rng, split),
        "foes": lexicon.monsters(rng, split),
        "beasts": lexicon.beasts(rng, split),
        "food": lexicon.food(rng, split),
        "fear": lexicon.fear(rng, split),
        "house": names.house(rng, split).removeprefix("the "),
        "colour": pick(rng, lexicon.COLOURS),
        "price": lexicon.price(rng),
        "number": lexicon.in_words(rng.randint(2, 40))
        if rng.random() < 0.5
        else str(rng.randint(2, 99)),
        "ordinal": pick(rng, _TEXT["ordinal"]),
        "season": pick(rng, _TEXT["season"]),
        "day": day(rng, split),
        "word": capitalise(lexicon.noun(rng, _TEXT["proper"])),
        "size": pick(rng, _TEXT["size"]),
        "adjective": pick(rng, _TEXT["adjective"]),
        "settlement": pick(rng, _TEXT["settlement"]),
        "gathering": pick(rng, _TEXT["gathering"]),
        "body": pick(rng, _TEXT["body"]),
        "crime": pick(rng, _TEXT["crime"]),
        "cause": pick(rng, _TEXT["cause"]),
    }
    slots |= {"people cap": capitalise(slots["people"])}
    for key, options in (
        ("where", _TEXT["where"]),
        ("state", _TEXT["states"]),
        ("span", _TEXT["spans"]),
        ("when", _TEXT["whens"]),
        ("often", _TEXT["often"]),
        ("fate", _TEXT["tale fates"]),
    ):
        slots[key] = fill(pick(rng, options), rng, slots)
    sentence = expand(template, rng, slots)
    asks = _TEXT["tale asks"]
    if "{state}" in template and rng.random() < 0.5:
        asks = tuple(fill(ask, rng, slots) for ask in _TEXT["why asks"])
    elif "{house}" in template and rng.random() < 0.5:
        asks = _TEXT["house asks"]
    elif "{often}" in template and rng.random() < 0.6:
        asks = _TEXT["when asks"]
    truth = Truth({}, (), asks, _TEXT["tale answers"])
    return Known(truth, {"x": fill(subject, rng, slots), "fact": sentence}, sentence)
