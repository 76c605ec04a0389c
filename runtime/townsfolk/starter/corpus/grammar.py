"""Templates that expand to text.

A template is plain text with two kinds of holes:

- ``[a|b|c]`` is a choice, each option equally likely; options nest and may be empty.
- ``{slot}`` is filled from the slots. ``{Slot}`` capitalises the value's first letter, ``{a slot}``
  and ``{A slot}`` put the right indefinite article before it.
- ``{live/lives}`` picks a verb form: the first for a "you" subject, the second for a "she" subject
  (the slot ``person`` holds ``second`` or ``third``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from random import Random
from typing import TypeAlias, TypeVar

T = TypeVar("T")


class Hole:
    """A place that a slot's value fills."""

    __slots__ = ("article", "capital", "name", "verbs")

    def __init__(self, text: str) -> None:
        self.verbs = tuple(text.split("/")) if "/" in text else ()
        self.article = text[:2].lower() == "a "
        name = text[2:] if self.article else text
        self.capital = text[0].isupper()
        self.name = name[0].lower() + name[1:]

    def fill(self, slots: Mapping[str, str]) -> str:
        """Return the text for this hole; raise KeyError when its slot is missing."""
        if self.verbs:
            return self.verbs[0] if slots["person"] == "second" else self.verbs[1]
        value = slots[self.name]
        if self.article:
            value = with_article(value)
        return capitalise(value) if self.capital else value


class Choice:
    """Alternatives, each a sequence of nodes."""

    __slots__ = ("options",)

    def __init__(self, options: "Sequence[tuple[Node, ...]]") -> None:
        self.options = options


Node: TypeAlias = str | Hole | Choice


class TemplateError(ValueError):
    """A template can't be filled: a bracket is open, or a slot is not known where it is used."""

    def __init__(self, template: str, reason: str) -> None:
        super().__init__(f"{reason} in {template!r}")
        self.template = template
        self.reason = reason


def capitalise(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def with_article(noun: str) -> str:
    """Return the noun phrase with "a" or "an" before it."""
    vowel = noun[:1].lower() in "aeiou" and not noun.lower().startswith(_SPOKEN_CONSONANTS)
    return ("an " if vowel else "a ") + noun


_SPOKEN_CONSONANTS = ("one", "uni", "use", "eu")


@cache
def parse(template: str) -> tuple[Node, ...]:
    """Return the template as nodes; raise TemplateError when brackets don't match."""
    nodes, _ = _parse_sequence(template, 0, "")
    return nodes


def holes(nodes: tuple[Node, ...]) -> Iterator[Hole]:
    """Yield the holes of a template, those of its choices among them."""
    for node in nodes:
        if isinstance(node, Hole):
            yield node
        elif isinstance(node, Choice):
            for option in node.options:
                yield from holes(option)


def _parse_sequence(template: str, at: int, stops: str) -> tuple[tuple[Node, ...], int]:
    nodes: list[Node] = []
    start = at
    while at < len(template) and template[at] not in stops:
        character = template[at]
        if character not in "[{":
            at += 1
            continue
        if at > start:
            nodes.append(template[start:at])
        if character == "{":
            close = template.find("}", at)
            if close <= at + 1:
                reason = "a brace is not closed" if close < 0 else "empty braces"
                raise TemplateError(template, reason)
            nodes.append(Hole(template[at + 1 : close]))
            at = close + 1
        else:
            options = []
            while template[at] != "]":
                option, at = _parse_sequence(template, at + 1, "|]")
                if at == len(template):
                    raise TemplateError(template, "a bracket is not closed")
                options.append(option)
            nodes.append(Choice(options))
            at += 1
        start = at
    if at > start:
        nodes.append(template[start:at])
    return tuple(nodes), at


def _write(nodes: tuple[Node, ...], rng: Random, slots: Mapping[str, str], out: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
        elif isinstance(node, Hole):
            out.append(node.fill(slots))
        else:
            options = node.options
            _write(options[int(rng.random() * len(options))], rng, slots, out)


def fill(template: str, rng: Random, slots: Mapping[str, str]) -> str:
    """Return one text of the template, as it is: for parts of sentences."""
    out: list[str] = []
    try:
        _write(parse(template), rng, slots, out)
    except KeyError as error:
        raise TemplateError(template, f"{{{error.args[0]}}} is not known here") from None
    return "".join(out)


def expand(template: str, rng: Random, slots: Mapping[str, str]) -> str:
    """Return one text of the template, tidied."""
    return tidy(fill(template, rng, slots))


_SPACES = re.compile(r" {2,}")
_SPACE_BEFORE_MARK = re.compile(r" (?=[,.!?;:])(?!\.\.\.)")
_SENTENCE_START = re.compile(r"(?<=[a-z0-9\"')][.!?] )[a-z]")


def tidy(text: str) -> str:
    """Text without the seams of expansion: single spaces, capitals at the start of sentences."""
    text = _SPACES.sub(" ", text.strip())
    text = _SPACE_BEFORE_MARK.sub("", text)
    return capitalise(_SENTENCE_START.sub(lambda match: match.group().upper(), text))


def pick(rng: Random, options: Sequence[T]) -> T:
    """Return one of the options, each equally likely (faster than ``Random.choice``)."""
    return options[int(rng.random() * len(options))]


def phrases(text: str) -> tuple[str, ...]:
    """Return the templates of a block, with `` / `` between them; line breaks mean nothing."""
    return tuple(" ".join(text.split()).split(" / "))
