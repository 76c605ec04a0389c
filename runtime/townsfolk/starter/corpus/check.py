"""What is wrong with books, told to whoever writes them: file, line and reason."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import product

from townsfolk.starter.corpus import book as books
from townsfolk.starter.corpus.book import ARROW, Book, BookError, Line
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.starter.corpus.grammar import Choice, Node, TemplateError, holes, parse
from townsfolk.starter.corpus.second import sections
from townsfolk.starter.corpus.split import Split

SLOTS = "slots"
"""The key of a book that lists what its texts may use in braces."""

_SEAMS = (
    (re.compile(r"\S {2,}\S"), "two spaces in a row"),
    (re.compile(r"\t"), "a tab"),
    (re.compile(r"\w [,.!?;](?!\.)"), "a space before a mark"),
    (re.compile(r"\b[Aa]n? \{(?!a |A )(\w[\w ]*)\}"), "write {a slot} to have the right article"),
)


def faults(told: Book) -> Iterator[BookError]:
    """Yield what is wrong with the texts of a book as they stand."""
    if told.place.text == "second.yaml":
        parts = [(more, set(known.get(SLOTS))) for more, known in sections()]
    else:
        parts = [(told, set(told.get(SLOTS)))]
    for part, known in parts:
        for key, line in part.walk():
            if key != SLOTS:
                yield from _faults(line, known)


def _faults(line: Line, known: set[str]) -> Iterator[BookError]:
    for text in line.text.split(ARROW):
        try:
            nodes = parse(text)
        except TemplateError as error:
            yield line.error(str(error))
            continue
        if stray := next((mark for mark in "[]{}" if mark in "".join(_plain(nodes))), None):
            yield line.error(f"a {stray!r} without its partner in {text!r}")
        for hole in holes(nodes):
            names = {"person"} if hole.verbs else {hole.name}
            for name in names - known:
                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {{{close[0]}}}?" if close else f"; {SLOTS!r} lists what is"
                yield line.error(f"{{{name}}} is nothing that this book may use{hint}")
        for seam, reason in _SEAMS:
            if seam.search(text):
                yield line.error(f"{reason} in {text!r}")


def _plain(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the text of a template outside its holes."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, Choice):
            for option in node.options:
                yield from _plain(option)


def rehearsal(count: int, told: Iterable[Book]) -> Iterator[BookError]:
    """Write conversations, and yield what can't be filled where it is said, once each.

    Args:
        count: Of conversations on each side of the split, and of each edition.
        told: The books in which to look for the places.
    """
    places = {line.text: line for each in told for _, line in each.walk()}
    found: set[str] = set()
    for number in range(count):
        for split, edition in product(Split, (1, 2)):
            try:
                conversation(f"rehearsal:{number}", split, edition)
            except TemplateError as error:
                if error.template not in found:
                    found.add(error.template)
                    yield _place(error, places).error(f"{error.reason} in {error.template!r}")


def _place(error: TemplateError, places: dict[str, Line]) -> Line:
    """Return where a template stands; what it is made of where it was put together."""
    if error.template in places:
        return places[error.template]
    parts = [text for text in places if len(text) > 3 and text in error.template]
    return places[max(parts, key=len)] if parts else Line(error.template, "?", 0)


def check(count: int) -> Iterator[BookError]:
    """Yield what is wrong with the corpus' own books.

    Args:
        count: Conversations to write on each side of the split, once the texts are right.
    """
    read: list[Book] = []
    right = True
    for name in books.names():
        try:
            read.append(books.book(name))
        except BookError as error:
            yield error
            right = False
            continue
        for fault in faults(read[-1]):
            yield fault
            right = False
    if right:
        yield from rehearsal(count, read)
