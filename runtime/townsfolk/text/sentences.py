"""Cuts a streamed reply into sentences, for speech.

Rules rather than a model: English first, and the full stops of Chinese and Japanese. A wrong cut
is heard as a pause in the wrong place, so where a rule is unsure the sentence goes on.
"""

from __future__ import annotations

import re

CLOSERS = "\"'\u201d\u2019\u00bb)]}*_\u300d\u300f\uff09\u3011\u300b\u3009"
# A run of stops with the quotes and brackets that close after it; `*` and `_` because replies
# write gestures as *She nods.*
STOP = re.compile(
    rf"(?P<marks>[.!?\u2026\u3002\uff01\uff1f\uff61]+)(?P<closers>[{re.escape(CLOSERS)}]*)|\n"
)
WIDE_MARKS = frozenset("\u3002\uff01\uff1f\uff61")  # no space follows these
SPACES = re.compile(r"\s*")
LAST_WORD = re.compile(r"[^\s\"'(\[{\u201c\u2018*_-]*\Z")
INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")

# fmt: off
# A name or an example follows: never the end of a sentence.
TITLES = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "capt", "cpt", "sgt", "lt", "col", "gen", "cmdr",
    "adm", "maj", "rev", "hon", "messrs", "mt", "ft", "vs", "e.g", "i.e", "cf", "viz",
})
# "No. 5" goes on, "No. I will not." does not.
BEFORE_NUMBERS = frozenset({
    "no", "nos", "vol", "ch", "fig", "p", "pp", "pg", "art", "sec", "ca", "approx", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})
# fmt: on


class SentenceSplitter:
    """Sentences of one reply as its text comes.

    Sentences come out without the white space around them, each as soon as it is certain that it
    ended: mostly when the first character of the next one is there, at once after a line break.
    The sentences do not depend on how the text was cut into pieces.
    """

    def __init__(self) -> None:
        self._text = ""
        self._scanned = 0  # no sentence ends before here

    @property
    def rest(self) -> str:
        """What has come since the last sentence."""
        return self._text

    def push(self, text: str) -> list[str]:
        """Takes more text and gives the sentences that are now complete."""
        self._text += text
        return self._cut(final=False)

    def flush(self) -> list[str]:
        """Gives what is left at the end of the reply."""
        sentences = self._cut(final=True)
        rest, self._text, self._scanned = self._text.strip(), "", 0
        return [*sentences, rest] if rest else sentences

    def _cut(self, *, final: bool) -> list[str]:
        sentences: list[str] = []
        while (stop := STOP.search(self._text, self._scanned)) is not None:
            ends = self._is_end(stop, final=final)
            if ends is None:  # wait for more text, and look at this stop again then
                self._scanned = stop.start()
                return sentences
            self._scanned = stop.end()
            if ends:
                sentence = self._text[: stop.end()].strip()
                self._text, self._scanned = self._text[stop.end() :], 0
                if sentence:
                    sentences.append(sentence)
        self._scanned = len(self._text)
        return sentences

    def _is_end(self, stop: re.Match[str], *, final: bool) -> bool | None:
        """Whether a sentence ends at this stop; None when only the text to come can say."""
        marks = stop["marks"]
        if marks is None:  # a line break
            return True
        if stop.end() == len(self._text):
            return True if final else None  # more marks or quotes may follow
        if not WIDE_MARKS.isdisjoint(marks):
            return True
        spaces = SPACES.match(self._text, stop.end())
        assert spaces is not None
        if not spaces[0]:
            return False  # 3.5, example.com, "Well...maybe"
        if "\n" in spaces[0]:
            return True
        if spaces.end() == len(self._text):
            return True if final else None
        return self._ends_before(stop, self._text[spaces.end()])

    def _ends_before(self, stop: re.Match[str], following: str) -> bool:
        """Whether a sentence ends at this stop when `following` begins what comes next."""
        marks: str = stop["marks"]
        if following.islower() and (stop["closers"] or marks[-1] in ".\u2026"):
            return False  # "Stop!" he said; Well... maybe; and the like
        if marks != ".":
            return True
        before = self._text[: stop.start()]
        word_match = LAST_WORD.search(before)
        word = word_match[0] if word_match else ""
        if word.lower() in TITLES:
            return False
        if following.isdigit() and word.lower() in BEFORE_NUMBERS:
            return False
        if word.isdigit() and before.strip() == word:
            return False  # "1. Go north." is a line of a list
        # J. R. Smith, U.S. Army; but "So did I. The others" and "at 5 p.m. The".
        return not (INITIALS.fullmatch(word) and word.isupper() and word != "I")
