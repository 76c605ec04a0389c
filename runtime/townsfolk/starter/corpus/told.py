"""Kinds of facts that players tell of themselves, and how they are told and asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.values import Generator, generator

_VALUES = book("values")
_WORDS = {
    "animal": lexicon.ANIMALS,
    "kin": lexicon.KIN,
    **{name: _VALUES[name] for name in ("companion", "deed", "errand")},
}
"""Which words a kind may go with: what ``word`` names in the book."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fact that players tell: ``{x}`` is the value, ``{b}`` a word that goes with it."""

    value: Generator
    tell: tuple[str, ...]
    react: tuple[str, ...]
    ask: tuple[str, ...]
    recall: tuple[str, ...]
    untold: tuple[str, ...]
    words: tuple[str, ...] = ()


def _kind(told: Book) -> Kind:
    words = _WORDS[told.one("word")] if "word" in told.texts else ()
    return Kind(
        value=generator(told, "value"),
        tell=told["tell"],
        react=told["react"],
        ask=told["ask"],
        recall=told["recall"],
        untold=told["untold"],
        words=words,
    )


KINDS: Mapping[str, Kind] = {name: _kind(told) for name, told in book("told").sections.items()}
