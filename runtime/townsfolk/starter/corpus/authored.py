"""Conversations that people wrote whole; only the names are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus import names
from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.grammar import expand, fill, pick
from townsfolk.starter.corpus.names import Name
from townsfolk.starter.corpus.split import Source

_TEXT = book("authored")
_HEARD, _SPOKE = "> ", "< "


@dataclass(frozen=True, slots=True)
class Authored:
    """A persona and what was said, both with a name that was drawn."""

    name: Name
    persona: Persona
    transcript: tuple[TranscriptEntry, ...]


def authored(rng: Random, source: Source) -> Authored:
    """Return one of the conversations.

    Args:
        rng: Decides which, and the names.
        source: Where names come from.
    """
    told = pick(rng, tuple(_TEXT.sections.values()))
    name = names.person(rng, source)
    while told.number("woman") and not name.she:
        name = names.person(rng, source)
    player = names.given_name(rng, source, rng.random() < 0.5)
    slots = {"name": name.full, "player": player}
    persona = Persona(
        name=name.full,
        description=expand(told.one("about"), rng, slots),
        speaking_style=pick(rng, told.get("style") or ("",)) if rng.random() < 0.6 else "",
    )
    return Authored(name, persona, tuple(_said(told, rng, slots)))


def _said(told: Book, rng: Random, slots: dict[str, str]) -> Iterator[TranscriptEntry]:
    """Yield what was said; raise BookError where a line is neither heard nor spoken."""
    for line in told.lines["said"]:
        text = fill(line.text[2:], rng, slots)
        if line.text.startswith(_HEARD):
            yield TranscriptEntry(kind=EntryKind.HEARD, speaker="Player", text=text)
        elif line.text.startswith(_SPOKE):
            yield TranscriptEntry(kind=EntryKind.SPOKE, text=text)
        else:
            raise line.error(
                f"begin with {_HEARD!r} for the player or {_SPOKE!r} for the character"
            )
