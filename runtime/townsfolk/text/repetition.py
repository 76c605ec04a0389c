"""Text that goes round in circles: "Pettigrewrewrewrew", a sentence said again and again."""

from __future__ import annotations

import re
import string

MAX_PERIOD = 256
"""The longest unit whose repetition is noticed, in characters."""

_LONG = 48  # bytes of a unit that is a whole sentence
_KEY = 8  # what comes back of a text before it may be a loop: less is in every sentence
_MOST_HELD = 1024
_KEPT = _MOST_HELD + MAX_PERIOD + _KEY
# What rules and tables are drawn with, and pauses.
_DRAWN = frozenset(string.punctuation + string.whitespace + "\u2013\u2014\u2026\u00b7\u2022").union(
    map(chr, range(0x2500, 0x2580))
)
_SENTENCE_END = re.compile(
    r"[.!?\u2026][\"'\u201d\u2019\u00bb)\]*_]*(?=\s|\Z)|[\u3002\uff01\uff1f]+"
)


def enough(unit: str) -> int:
    """Return how often in a row a unit has to come for the text to be a loop.

    A unit of at least 48 bytes (UTF-8) three times, of 20 to 47 four times, a shorter one until 80
    bytes are full: people laugh, sing and say "no, no, no". What rules and tables are drawn with
    counts by the character, and needs twice as much.
    """
    is_drawn = _DRAWN.issuperset(unit)
    size = len(unit) if is_drawn else len(unit.encode("utf-8", "surrogatepass"))
    times = 3 if size >= _LONG else max(4, -(-80 // size))
    return 2 * times if is_drawn else times


class RepetitionGuard:
    """Looks for a loop at the end of a text that comes in pieces of any size.

    Text that says again what was just said is held back until it goes on otherwise. Where it is a
    loop instead, the text ends: with the sentence that was begun, or else the word, if they end
    within one unit. What comes out does not depend on how the text was cut.

    Attributes:
        found: whether the text ended in a loop.
    """

    def __init__(self, most_left: int | None = None) -> None:
        """Start a text; with `most_left`, it ends only when fewer tokens may follow."""
        self.found = False
        self._most_left = most_left
        self._text = ""  # its end, as far as it is looked at
        self._shown = 0  # how much of that was given out

    def push(self, text: str, tokens_left: int = 0) -> str:
        """Take more text, and how many tokens may follow; give what can be shown."""
        if self.found:
            return ""
        first = len(self._text) + 1
        self._text += text
        shown = self._shown
        if self._most_left is not None and tokens_left >= self._most_left:
            self._shown = len(self._text)
            first = self._shown + 1
        for end in range(first, len(self._text) + 1):
            if not self._comes_back(end):
                self._shown = end
                continue
            self._shown = max(self._shown, end - _MOST_HELD)
            period = self._period(end)
            if period is not None:
                self.found = True
                return self._text[shown : self._ending(end, period)]
        given = self._text[shown : self._shown]
        dropped = min(self._shown, max(len(self._text) - _KEPT, 0))
        if dropped > _KEPT:  # not at every piece
            self._text = self._text[dropped:]
            self._shown -= dropped
        return given

    def flush(self) -> str:
        """Give what was held back, as the text has ended."""
        if self.found:
            return ""
        held, self._shown = self._text[self._shown :], len(self._text)
        return held

    def _comes_back(self, end: int) -> bool:
        """Return whether the last characters were there before."""
        key = self._text[max(end - _KEY, 0) : end]
        first = max(end - _KEY - MAX_PERIOD, 0)
        return len(key) == _KEY and self._text.rfind(key, first, end - 1) >= 0

    def _period(self, end: int) -> int | None:
        """Return how long the unit is that the text up to `end` repeats often enough."""
        text, key = self._text, self._text[end - _KEY : end]
        first = max(end - _KEY - MAX_PERIOD, 0)
        place = text.rfind(key, first, end - 1)
        while place >= 0:
            period = end - _KEY - place
            begin = end - period * enough(text[end - period : end])
            if begin >= 0 and text[begin + period : end] == text[begin : end - period]:
                return period
            place = text.rfind(key, first, place + _KEY - 1)
        return None

    def _ending(self, end: int, period: int) -> int:
        """Return where the text ends that a loop of this period was found in."""
        shown, last = self._shown, min(end, self._shown + period)
        place = max(len(self._text[:shown].rstrip()) - 1, 0)
        sentence = _SENTENCE_END.search(self._text[:last], place)
        if sentence is not None:
            return max(sentence.end(), shown)
        word = re.search(r"\s", self._text[max(shown - 1, 0) : last])
        return shown if word is None else max(shown - 1 + word.start(), shown)
