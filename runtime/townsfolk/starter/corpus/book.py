"""Books: the texts that conversations are made of, as YAML that a writer edits.

A file is a mapping. Its values are

- ``|`` blocks, in which every line is a template of its own and nothing needs quoting,
- lists, for words and for texts whose spaces at the ends count,
- single texts and numbers, and mappings of all of these.

Every text remembers its line, so that whatever is wrong with it can be found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

DATA = Path(__file__).parent / "data"
"""Where the books lie."""

ARROW = " => "
"""Stands between the parts of a line that says several things."""


class BookError(ValueError):
    """A book does not say what it has to; begins with file and line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A text of a book, and where it stands."""

    text: str
    file: str
    number: int

    def error(self, reason: str) -> BookError:
        """Return what is wrong with this text, with its place."""
        return BookError(f"{self.file}:{self.number}: {reason}")


@dataclass(frozen=True, slots=True)
class Book:
    """Texts and sections by their names, in the file's order."""

    place: Line
    """The key of this section, or the file."""
    texts: dict[str, tuple[str, ...]]
    lines: dict[str, tuple[Line, ...]]
    sections: "dict[str, Book]"

    def __getitem__(self, key: str) -> tuple[str, ...]:
        """Return the texts of a key; raise BookError where there are none."""
        try:
            return self.texts[key]
        except KeyError:
            raise self.place.error(f"{self.place.text!r} lacks {key!r}") from None

    def get(self, key: str) -> tuple[str, ...]:
        """Return the texts of a key, none where it is missing."""
        return self.texts.get(key, ())

    def section(self, key: str) -> "Book":
        """Return the section of a key; raise BookError where there is none."""
        try:
            return self.sections[key]
        except KeyError:
            raise self.place.error(f"{self.place.text!r} lacks the section {key!r}") from None

    def one(self, key: str) -> str:
        """Return the only text of a key; raise BookError where there are more or none."""
        texts = self[key]
        if len(texts) != 1:
            raise self.lines[key][0].error(f"{key!r} has {len(texts)} texts instead of one")
        return texts[0]

    def number(self, key: str, default: float = 0.0) -> float:
        """Return the number of a key; raise BookError where something else stands there."""
        if key not in self.texts:
            return default
        try:
            return float(self.one(key))
        except ValueError as error:
            raise self.lines[key][0].error(f"{self.one(key)!r} is not a number") from error

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the two parts of each line; raise BookError where there are not two."""
        return tuple((first, second) for first, second in self._split(key, 2))

    def triples(self, key: str) -> tuple[tuple[str, str, str], ...]:
        """Return the three parts of each line; raise BookError where there are not three."""
        return tuple((first, second, third) for first, second, third in self._split(key, 3))

    def _split(self, key: str, count: int) -> Iterator[list[str]]:
        texts = self[key]
        for at, text in enumerate(texts):
            parts = text.split(ARROW)
            if len(parts) != count:
                raise self.lines[key][at].error(
                    f"{text!r} has {len(parts)} parts with {ARROW!r} between them, not {count}"
                )
            yield parts

    def walk(self) -> "Iterator[tuple[str, Line]]":
        """Yield every text below with its key."""
        for key, lines in self.lines.items():
            yield from ((key, line) for line in lines)
        for section in self.sections.values():
            yield from section.walk()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's loader in C where it is built; nodes keep their places."""


def read(path: Path, name: str) -> Book:
    """Read a book.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        BookError: It is not YAML of the form above, or a name stands there twice.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BookError(f"{name}:{line}: {error.problem}") from error
    place = Line(name, name, 1)
    if not isinstance(node, yaml.MappingNode):
        raise place.error("a book is a mapping of names to texts")
    return _section(place, node)


def _section(place: Line, node: yaml.MappingNode) -> Book:
    book = Book(place, {}, {}, {})
    for key_node, value in node.value:
        key = Line(str(key_node.value), place.file, key_node.start_mark.line + 1)
        if key.text in book.texts or key.text in book.sections:
            raise key.error(f"{key.text!r} stands twice in {place.text!r}")
        if isinstance(value, yaml.MappingNode):
            book.sections[key.text] = _section(key, value)
            continue
        lines = tuple(_lines(key, value))
        book.lines[key.text] = lines
        book.texts[key.text] = tuple(line.text for line in lines)
    return book


def _lines(key: Line, node: yaml.Node) -> Iterator[Line]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                raise Line("", key.file, item.start_mark.line + 1).error(
                    "a list has texts only; quote what begins with [, { or *"
                )
            yield Line(str(item.value), key.file, item.start_mark.line + 1)
    elif isinstance(node, yaml.ScalarNode) and node.style == "|":
        first = node.start_mark.line + 2
        for at, text in enumerate(str(node.value).splitlines()):
            if text.strip():
                yield Line(text.strip(), key.file, first + at)
    else:
        yield Line(str(node.value), key.file, node.start_mark.line + 1)


@cache
def book(name: str) -> Book:
    """Return the corpus' own book of this name: ``names``, ``topics/life``."""
    return read(DATA / f"{name}.yaml", f"{name}.yaml")


def names() -> list[str]:
    """Return the names of all of the corpus' own books."""
    return sorted(
        path.relative_to(DATA).with_suffix("").as_posix() for path in DATA.rglob("*.yaml")
    )
