"""Things that happen in the world while people talk."""

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import expand, pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/events")
_HAPPENINGS = _TEXT.pairs("happenings")


def happening(talk: Talk) -> str:
    """Something happens; returns how it is told afterwards."""
    rng = talk.rng
    present, past = pick(rng, _HAPPENINGS)
    slots = {
        "monster": talk.split.draw(rng, lambda r: pick(r, lexicon.MONSTERS)),
        "animal": pick(rng, lexicon.ANIMALS),
        "thing": lexicon.thing(rng, talk.split),
        "place": names.place(rng, talk.split),
        "person": talk.someone(),
        "spot": pick(rng, lexicon.PLACES_NEAR),
        "town": pick(rng, _TEXT["towns"]),
    }
    ending = pick(rng, _TEXT["endings"])
    talk.happen(expand(present, rng, slots) + ending)
    # ``tidy`` capitalises; a past that begins with a name keeps its capital.
    told = expand(past, rng, slots)
    return told if past.startswith("{person}") else told[0].lower() + told[1:]


def event(talk: Talk) -> str:
    """Something happens and the player asks about it, or the character speaks of it unasked."""
    past = happening(talk)
    talk.exchange(_TEXT["ask"] + _TEXT["ask who saw it"], _TEXT["tell"], past=past)
    return past


def earlier(talk: Talk, past: str) -> None:
    """Something that happened some turns ago."""
    talk.exchange(_TEXT["ask later"] + _TEXT["ask who saw it later"], _TEXT["tell"], past=past)


def nothing(talk: Talk) -> None:
    """The player asks what happened when nothing did."""
    talk.exchange(_TEXT["ask"] + _TEXT["ask later"], _TEXT["nothing"])
