"""What a character says of its own accord, as the runtime asks for it."""

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.topics import events

_TEXT = book("cues")


def first(talk: Talk) -> None:
    """The character speaks before anybody else does."""
    lines = talk.character.lines
    addr = pick(talk.rng, talk.character.style.address)  # who stands there has not been heard yet
    if lines and talk.rng.random() < 0.3:
        talk.begin((pick(talk.rng, lines),), addr=addr)
    elif talk.character.trade and talk.rng.random() < 0.25:
        talk.begin(_TEXT["first with trade"], addr=addr)
    else:
        talk.begin(_TEXT["first"], addr=addr)


def unasked(talk: Talk) -> None:
    """The character takes up what has just happened, or speaks once more."""
    if talk.entries and talk.rng.random() < 0.3:
        talk.begin(_TEXT["again"])
        return
    past = events.happening(talk)
    talk.say(_TEXT["remark"], past=past)
