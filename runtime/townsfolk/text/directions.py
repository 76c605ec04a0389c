"""Tells what a reply says from what it only describes: `*slams the tankard*`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files

LONGEST = 200
"""Characters of the longest stage direction: what has not closed by then is speech."""
_LONGEST_TAG = 64
_CLOSING = {"(": ")", "[": "]", "\uff08": "\uff09", "\uff3b": "\uff3d", "\u3010": "\u3011"}
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][\w-]*)[^<>\n]*>")
_MARKS = " \t*_()[]<>\uff08\uff09\uff3b\uff3d\u3010\u3011"
# Behind these nothing has been said yet that a direction could interrupt.
_STARTS = "\n.!?\u2026\u3002\uff01\uff1f\"'\u201d\u2019\u00bb*)]>\uff09\u3011"


class Mark(Enum):
    """How a stage direction is marked."""

    ASTERISKS = "asterisks"
    """`*bows*`; `**bold**` is none."""
    PARENTHESES = "parentheses"
    """`(bows)`, not directly behind a letter."""
    BRACKETS = "brackets"
    """`[bows]`, not directly behind a letter."""
    TAGS = "tags"
    """`<bows>`, and `<action>bows</action>`."""


class PartKind(Enum):
    """What a part of a reply is."""

    SPEECH = "speech"
    """It is said."""
    DIRECTION = "direction"
    """It is done, or says how something is said."""
    FORMAT = "format"
    """It marks text: neither said nor done."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a reply.

    Attributes:
        kind: what it is.
        text: all of it: the parts joined are the reply.
        inner: of a direction, what stands between its marks.
        mark: of a direction, how it is marked.
    """

    kind: PartKind
    text: str
    inner: str = ""
    mark: Mark | None = None


class _Words:
    """What `directions.toml` says."""

    def __init__(self) -> None:
        data = tomllib.loads(files(__package__).joinpath("directions.toml").read_text("utf-8"))
        self.elements = frozenset(data["elements"])
        self.formats = frozenset(data["formats"])
        self.gestures = frozenset(data["gestures"])


_WORDS = _Words()


class DirectionScanner:
    """Cuts a reply into speech and stage directions as its text comes.

    What may be a direction is held until it is certain, so that nobody sees half a mark, and the
    parts do not depend on how the text was cut into pieces, but for speech, which comes as soon as
    it can. What is not closed where the reply ends is a direction that was cut off. Where a line
    ends, it is one behind an asterisk, and behind a bracket if nothing was said in its sentence.
    """

    def __init__(self, marks: Collection[Mark]) -> None:
        """Look for these marks alone."""
        self._marks = frozenset(marks)
        opening = ""
        self._readers: dict[str, Callable[[int], list[Part] | None]] = {}
        if Mark.ASTERISKS in self._marks:
            opening += "*"
            self._readers["*"] = self._asterisks
        for mark, signs in (
            (Mark.PARENTHESES, "(\uff08"),
            (Mark.BRACKETS, "[\uff3b\u3010"),
        ):
            if mark in self._marks:
                opening += signs
                self._readers |= dict.fromkeys(signs, self._bracket)
        if Mark.TAGS in self._marks:
            opening += "<"
            self._readers["<"] = self._tag
        self._opening = re.compile(f"[{re.escape(opening)}]") if opening else None
        self._text = ""  # not given out yet
        self._before = "\n"  # the end of what was: what a mark means depends on it
        self._is_final = False

    def push(self, text: str) -> list[Part]:
        """Take more text; give the parts that are certain."""
        self._text += text
        return self._scan()

    def flush(self) -> list[Part]:
        """Give what is left at the end of the reply; what comes next is another."""
        self._is_final = True
        parts = self._scan()
        self._is_final, self._before = False, "\n"
        return parts

    def _scan(self) -> list[Part]:
        parts: list[Part] = []
        while self._text:
            found = None if self._opening is None else self._opening.search(self._text)
            place = len(self._text) if found is None else found.start()
            if place:
                parts.append(self._take(PartKind.SPEECH, place))
            if found is None:
                break
            read = self._readers[found[0]](0)
            if read is None:
                break
            for part in read:
                self._drop(len(part.text))
            parts += read
        return parts

    def _take(self, kind: PartKind, length: int) -> Part:
        part = Part(kind, self._text[:length])
        self._drop(length)
        return part

    def _drop(self, length: int) -> None:
        self._before = (self._before + self._text[:length])[-8:]
        self._text = self._text[length:]

    @property
    def _is_at_start(self) -> bool:
        """Whether nothing was said yet in this sentence."""
        return self._before.rstrip(" \t")[-1:] in _STARTS

    def _is_inside_word(self) -> bool:
        last = self._before[-1]
        return last.isalnum() and unicodedata.east_asian_width(last) not in "WF"

    def _asterisks(self, start: int) -> list[Part] | None:
        """Read what begins with asterisks; None where more text is needed."""
        text = self._text
        run = _run(text, start)
        if run == len(text) and not self._is_final:
            return None
        if run > 1 or run == len(text) or text[run].isspace():
            kind = PartKind.FORMAT if run > 1 else PartKind.SPEECH
            return [Part(kind, text[:run])]
        if self._before[-1].isalnum():
            times = self._before[-1].isdigit() and text[run].isdigit()
            return [Part(PartKind.SPEECH if times else PartKind.FORMAT, "*")]
        place = run
        while place < len(text) and place <= LONGEST and text[place] != "\n":
            if text[place] != "*":
                place += 1
                continue
            run = _run(text, place)
            if place + run == len(text) and not self._is_final:
                return None
            if run % 2 and not text[place - 1].isspace():
                return self._between_asterisks(place + run)
            place += run
        return self._unclosed(place, Mark.ASTERISKS, PartKind.FORMAT)

    def _between_asterisks(self, end: int) -> list[Part] | None:
        """Read what asterisks close: a direction, or a word with emphasis."""
        text = self._text
        inner = text[:end].strip("*")
        if not _has_letters(text[:end]):
            return [Part(PartKind.FORMAT, "*")]
        is_word = not any(map(str.isspace, inner)) and inner.lower() not in _WORDS.gestures
        follows_word = self._before[-1] == " " and self._before[-2:-1].isalnum()
        if is_word and follows_word:
            if end == len(text) and not self._is_final:
                return None
            if end < len(text) and text[end] != "\n":
                closing = len(text[:end]) - len(text[:end].rstrip("*"))
                return [
                    Part(PartKind.FORMAT, "*"),
                    Part(PartKind.SPEECH, text[1 : end - closing]),
                    Part(PartKind.FORMAT, text[end - closing : end]),
                ]
        return [_direction(text[:end], Mark.ASTERISKS)]

    def _bracket(self, start: int) -> list[Part] | None:
        opened = self._text[start]
        mark = Mark.PARENTHESES if opened in "(\uff08" else Mark.BRACKETS
        if self._is_inside_word():
            return [Part(PartKind.SPEECH, opened)]
        depth = 0
        for place, letter in enumerate(self._text[: LONGEST + 1]):
            if letter == "\n":
                return self._unclosed(place, mark, PartKind.SPEECH)
            depth += (letter == opened) - (letter == _CLOSING[opened])
            if depth == 0:
                text = self._text[: place + 1]
                if _has_letters(text):
                    return [_direction(text, mark)]
                return [Part(PartKind.SPEECH, text)]
        return self._unclosed(min(len(self._text), LONGEST + 1), mark, PartKind.SPEECH)

    def _tag(self, start: int) -> list[Part] | None:
        text = self._text
        tag = _TAG.match(text, start)
        if tag is None or tag.end() > _LONGEST_TAG:
            is_begun = re.fullmatch(r"</?(?:[A-Za-z][^<>\n]*)?", text[:_LONGEST_TAG]) is not None
            if not is_begun or len(text) >= _LONGEST_TAG:
                return [Part(PartKind.SPEECH, "<")]
            if not self._is_final:
                return None
            is_tag = _has_letters(text)
            return [_direction(text, Mark.TAGS) if is_tag else Part(PartKind.SPEECH, text)]
        name = tag["name"].lower()
        if name in _WORDS.formats:
            return [Part(PartKind.FORMAT, tag[0])]
        if name in _WORDS.elements and not tag["close"] and not tag[0].endswith("/>"):
            return self._element(tag, name)
        return [_direction(tag[0], Mark.TAGS)]

    def _element(self, tag: re.Match[str], name: str) -> list[Part] | None:
        """Read an element whose content is a direction, too."""
        closing = f"</{name}>"
        most = tag.end() + LONGEST + len(closing)
        end = self._text[:most].lower().find(closing)
        if end >= 0:
            inner = self._text[tag.end() : end]
            text = self._text[: end + len(closing)]
            return [Part(PartKind.DIRECTION, text, inner.strip(_MARKS), Mark.TAGS)]
        if len(self._text) < most and not self._is_final:
            return None
        inner = self._text[tag.end() : tag.end() + LONGEST]
        if len(self._text) < most:  # it is never closed
            return [Part(PartKind.DIRECTION, self._text, inner.strip(_MARKS), Mark.TAGS)]
        return [_direction(tag[0], Mark.TAGS)]

    def _unclosed(self, end: int, mark: Mark, otherwise: PartKind) -> list[Part] | None:
        """Read what is not closed up to `end`: where the line, the text or the room for it ends."""
        if end == len(self._text) and end <= LONGEST and not self._is_final:
            return None
        whole = self._text[:end].rstrip()
        is_last = end == len(self._text) or mark is Mark.ASTERISKS or self._is_at_start
        if end <= LONGEST and is_last and _has_letters(whole):
            return [_direction(whole, mark)]
        return [Part(otherwise, self._text[0])]


def _direction(text: str, mark: Mark) -> Part:
    return Part(PartKind.DIRECTION, text, text.strip(_MARKS), mark)


def _run(text: str, start: int) -> int:
    """Return how many asterisks stand here."""
    return len(text) - start - len(text[start:].lstrip("*"))


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))
