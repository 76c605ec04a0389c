"""The second edition: values that must be copied, more phrasings, and actions."""

from collections.abc import Callable, Iterator
from random import Random

from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.split import Source, Templates
from townsfolk.starter.corpus.strange import estranged

_MOST = 20
"""Longer values stay as they are drawn: a speaker's name has a limit."""


def sections() -> Iterator[tuple[Book, Book]]:
    """Yield each section of the edition's book with the book that it adds to."""
    for name, more in book("second").sections.items():
        yield more, book(name)


def _phrasings(more: Book, known: Book) -> Iterator[tuple[Templates, Templates]]:
    for key, templates in more.texts.items():
        yield known[key], templates
    for key, section in more.sections.items():
        yield from _phrasings(section, known.section(key))


_PHRASINGS = {
    templates: templates + more
    for section, told in sections()
    for templates, more in _phrasings(section, told)
}


class SecondEdition:
    """A source that has strangers in the place of some of another's values, and more phrasings."""

    def __init__(self, source: Source, share: float) -> None:
        """Widen a source.

        Args:
            source: Has the other values.
            share: How many values are strange, of one.
        """
        self._source = source
        self._share = share

    def owns(self, value: str) -> bool:
        """Return whether the value belongs to the source's side of the split."""
        return self._source.owns(value)

    def more(self, templates: Templates) -> Templates:
        """Return these templates and the edition's own beside them."""
        return _PHRASINGS.get(templates, templates)

    def draw(self, rng: Random, generate: Callable[[Random], str]) -> str:
        """Return a value of the source, or a strange one of its form."""
        value = self._source.draw(rng, generate)
        if rng.random() >= self._share:
            return value
        while True:
            strange = estranged(value, rng)
            if self.owns(strange):
                return strange if len(strange) <= _MOST else value
