"""How scripts say who speaks: "Tom:" before a line."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

# Where a label can stand: at the beginning of a reply or of a line, and behind a sentence, as some
# models write a whole scene into one line. Elsewhere "Tom:" is part of a sentence.
_CLOSING = "\"'\u201d\u2019\u00bb)\\]*_\u300d\u300f"
PLACE = re.compile(rf"\n|[.!?\u2026][{_CLOSING}]*(?=\s)|[\u3002\uff01\uff1f][{_CLOSING}]*")

# What stands before a name: white space, list and heading marks; emphasis, quotes, brackets.
_BEFORE = re.compile(
    r"(?:[\s#>\-\u2013\u2014\u2022]|\*(?=\s))*([*_~`\"'\u201c\u201e\u00ab\[(<]*)[ \t]?"
)
# What stands between a name and its colon: how it is said, and what closes what was opened.
_BETWEEN = re.compile(r"(?:[ \t]*\([^()\n]{0,48}\))?[ \t*_~`\"'\u201d\u201c\u00bb\])>]{0,8}")
_BETWEEN_BEGUN = re.compile(_BETWEEN.pattern + r"\Z|[ \t]*\([^()\n]{0,48}\Z")
_COLONS = ":\uff1a"
_AROUND = " \t#-\u2013\u2014\u2022*_~`\"'\u201c\u201d\u201e\u00ab\u00bb[]()<>"
_MIRRORED = str.maketrans("\u201c\u201e\u00ab[(<", "\u201d\u201c\u00bb])>")
_MOST_BEFORE = 64


class Unsure(Enum):
    """More text is needed."""

    UNSURE = auto()


UNSURE = Unsure.UNSURE


@dataclass(frozen=True, slots=True)
class Label:
    """A label at the beginning of a text.

    Attributes:
        is_own: whether it is the character's own.
        length: how many characters it takes.
        opened: what was opened before the name and is not closed with it: `"` of `"Tom: Hello"`.
    """

    is_own: bool
    length: int
    opened: str


class SpeakerLabels:
    """Finds the labels of everybody who speaks in a conversation.

    Letter case does not matter, nor do white space, Markdown and brackets around a name, or how
    the line is said: `**Tom:**`, `tom :`, `[Tom]:` and `Tom (laughing):` are labels of Tom.
    """

    def __init__(self, own: str, others: Iterable[str] = ()) -> None:
        """Know a character's own name and those of the others."""
        self._own = frozenset(_forms(own))
        self._names = self._own.union(*map(_forms, others))
        self._sorted = sorted(self._names)  # so that a beginning is found by bisection
        self._longest = max(map(len, self._names), default=0)

    def read(self, text: str) -> Label | Unsure | None:
        """Return the label that `text` begins with; None where it begins with none."""
        before = _BEFORE.match(text)
        assert before is not None
        if before.end() == len(text):
            return UNSURE if len(text) <= _MOST_BEFORE else None
        rest = _folded(text[before.end() :])
        place = bisect_left(self._sorted, rest)
        if place < len(self._sorted) and self._sorted[place].startswith(rest):
            return UNSURE
        for length in range(min(self._longest, len(rest)), 0, -1):
            if rest[:length] in self._names:
                label = self._behind(text, before, length, rest[:length] in self._own)
                if label is not None:
                    return label
        return None

    def _behind(
        self, text: str, before: re.Match[str], length: int, is_own: bool
    ) -> Label | Unsure | None:
        """Return the label whose name has this length, if what follows makes it one."""
        end = before.end() + length
        between = _BETWEEN.match(text, end)
        assert between is not None
        colon = between.end()
        if colon >= len(text) or text[colon] not in _COLONS:
            return UNSURE if _BETWEEN_BEGUN.match(text, end) else None
        opened = before[1]
        closes = opened[::-1].translate(_MIRRORED)
        rest = text[colon + 1 :]
        if not closes or closes in between[0]:
            return Label(is_own, colon + 1, "")
        if rest.startswith(closes):
            return Label(is_own, colon + 1 + len(closes), "")
        if closes.startswith(rest):
            return UNSURE
        said = rest.lstrip()
        return Label(is_own, len(text) - len(said), opened) if said else UNSURE


def _forms(name: str) -> set[str]:
    """Return how a name is looked for: as it is, and without the marks that may stand around it."""
    return {_folded(name.strip()), _folded(name.strip(_AROUND))} - {""}


def _folded(text: str) -> str:
    """`text` in lower case, character for character."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
