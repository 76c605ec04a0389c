"""Kinds of facts about a world: how lore tells them, how people ask, what the answer is."""

from collections.abc import Mapping
from dataclasses import dataclass

from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.values import Generator, generator


@dataclass(frozen=True, slots=True)
class Truth:
    """A kind of fact about a world: how lore tells it, how people ask, what the answer is."""

    values: Mapping[str, Generator]
    texts: tuple[str, ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A fact of a world, with its values."""

    truth: Truth
    values: dict[str, str]
    sentence: str


def _truth(told: Book) -> Truth:
    values = told.section("values")
    return Truth(
        values={key: generator(values, key) for key in values.texts},
        texts=told["lore"],
        asks=told["ask"],
        answers=told["tell"],
    )


TRUTHS = tuple(_truth(told) for told in book("truths").sections.values())
