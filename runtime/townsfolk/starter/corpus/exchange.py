"""Exchanges: what players say, what characters answer."""

from dataclasses import dataclass

from townsfolk.starter.corpus.book import Book


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is asked, and what is told by whoever knows; ``unknown`` is said by who does not."""

    ask: tuple[str, ...]
    tell: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def exchanges(told: Book) -> dict[str, Exchange]:
    """Return the exchanges of a section by their names."""
    return {
        name: Exchange(each["ask"], each.get("tell"), each.get("unknown"))
        for name, each in told.sections.items()
    }
