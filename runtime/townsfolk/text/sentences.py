"""Cuts a streamed reply into sentences, for speech.

Rules rather than a model, and rather than a library: those look at a whole text, and what they make
of its beginning changes with what comes after. The rules are about marks, quotes and letter case;
words and marks of languages are in `sentences.toml`. A wrong cut is heard as a pause in the wrong
place, so where a rule is unsure the sentence goes on.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

_SPACES = re.compile(r"\s*")
_LAST_WORD = re.compile(r"[^\s\"'(\[{\u201c\u2018\u00ab\u201e*_-]*\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_NEXT_WORD = re.compile(r"[^\W\d_]*")
# Dialogue of many languages: what stands behind the dash says whether the sentence goes on.
_DASHES = "-\u2013\u2014\u2015"


class _Language:
    """What `sentences.toml` says, ready to look things up."""

    def __init__(self) -> None:
        data = tomllib.loads(files(__package__).joinpath("sentences.toml").read_text("utf-8"))
        marks, closers = map(re.escape, (data["spaced"] + data["unspaced"], data["closers"]))
        particles = "|".join(map(re.escape, data["particles"]))
        self.stop = re.compile(
            rf"(?P<marks>[{marks}]+)(?P<closers>[{closers}]*)|\n|(?P<particle>{particles})(?=\s)"
        )
        self.longest_particle = max(map(len, data["particles"]))
        self.unspaced = frozenset(data["unspaced"])
        self.spaced_closers: str = data["spaced_closers"]
        self.goes_on_with: str = data["goes_on_with"]
        self.letters = frozenset(data["letters"])
        self.words = frozenset(data["words"])
        self.ordinals: list[str] = data["ordinals"]
        self.abbreviations = frozenset(data["abbreviations"])
        self.before_numbers = frozenset(data["before_numbers"])
        self.phrases = _phrases(data["phrases"])
        self.last_phrases = _phrases(data["last_phrases"])


def _phrases(phrases: list[str]) -> re.Pattern[str]:
    """Match a text that ends with one of them."""
    spaced = (re.escape(each).replace(r"\ ", r"\s+") for each in phrases)
    return re.compile(rf"(?:^|[^\w.])(?:{'|'.join(spaced)})\Z", re.IGNORECASE)


_LANGUAGE = _Language()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and where it stands in all the text that was pushed.

    Attributes:
        text: without white space around it.
        start: its first character, in code points.
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind its last character."""
        return self.start + len(self.text)


class SentenceSplitter:
    """Sentences of one reply as its text comes.

    Sentences come out without the white space around them, each as soon as it is certain that it
    ended: mostly when the first character of the next one is there, at once after a line break.
    The sentences do not depend on how the text was cut into pieces.
    """

    def __init__(self) -> None:
        self._text = ""
        self._begin = 0  # of `_text` in all that was pushed
        self._scanned = 0  # no sentence ends before here

    @property
    def rest(self) -> str:
        """What has come since the last sentence."""
        return self._text

    def push(self, text: str) -> list[str]:
        """Take more text and return the sentences that are now complete."""
        return [each.text for each in self.take(text)]

    def flush(self) -> list[str]:
        """Return what is left at the end of the reply."""
        return [each.text for each in self.finish()]

    def take(self, text: str) -> list[Sentence]:
        """Do as `push`, with where they stand."""
        self._text += text
        return self._cut(final=False)

    def finish(self) -> list[Sentence]:
        """Do as `flush`, with where they stand."""
        sentences = self._cut(final=True)
        return sentences + self._take_out(len(self._text))

    def pause(self) -> list[Sentence]:
        """Give the last sentence, if it is whole where something else than speech comes."""
        text = self._text.rstrip()
        stops = [*_LANGUAGE.stop.finditer(text, self._scanned)]
        if not stops or stops[-1].end() < len(text) or stops[-1]["marks"] is None:
            return []
        return self._take_out(len(text)) if self._ends_before(stops[-1], "A") else []

    def _take_out(self, end: int) -> list[Sentence]:
        """Take the text up to here out; give it, where it is more than white space."""
        part = self._text[:end]
        start = self._begin + len(part) - len(part.lstrip())
        self._text, self._begin, self._scanned = self._text[end:], self._begin + end, 0
        return [Sentence(part.strip(), start)] if part.strip() else []

    def _cut(self, *, final: bool) -> list[Sentence]:
        sentences: list[Sentence] = []
        while (stop := _LANGUAGE.stop.search(self._text, self._scanned)) is not None:
            end = self._end(stop, final=final)
            if end is None:  # wait for more text, and look at this stop again then
                self._scanned = stop.start()
                return sentences
            if end:
                sentences += self._take_out(end)
            else:
                self._scanned = stop.end()
        # A particle may be whole, and its space not there yet.
        self._scanned = max(self._scanned, len(self._text) - _LANGUAGE.longest_particle, 0)
        return sentences

    def _end(self, stop: re.Match[str], *, final: bool) -> int | None:
        """Return where a sentence that may end at this stop does; 0 if it does not, None if unsure.

        What only the text to come can say is unsure, as long as more can come.
        """
        text, end, marks = self._text, stop.end(), stop["marks"]
        if marks is None:  # a line break, or Thai
            return end
        unsure = end if final else None
        if end == len(text):
            return unsure  # more marks or quotes may follow
        if not _LANGUAGE.unspaced.isdisjoint(marks):
            is_number = marks == "\uff0e" and text[end].isdigit()
            is_quoted = bool(stop["closers"]) and text[end] in _LANGUAGE.goes_on_with
            return 0 if is_number or is_quoted else end
        spaces = self._behind_spaces(end)
        if spaces == end:
            return 0  # 3.5, example.com, "Well...maybe"
        if "\n" in text[end:spaces]:
            return end
        if spaces == len(text):
            return unsure
        if text[spaces] in _LANGUAGE.spaced_closers:
            if spaces + 1 == len(text):
                return spaces + 1 if final else None
            if not text[spaces + 1].isalnum():  # else it opens, as German has it
                end, spaces = spaces + 1, self._behind_spaces(spaces + 1)
                if spaces == len(text):
                    return end if final else None
        begin = spaces
        while begin < len(text) and (text[begin] in _DASHES or text[begin].isspace()):
            begin += 1
        if begin == len(text):
            return end if final else None
        if begin > spaces and text[begin].islower():
            return 0
        ends = self._ends_before(stop, text[spaces:], closed=end > stop.end(), final=final)
        return None if ends is None else end if ends else 0

    def _behind_spaces(self, place: int) -> int:
        spaces = _SPACES.match(self._text, place)
        assert spaces is not None
        return spaces.end()

    def _ends_before(
        self, stop: re.Match[str], following: str, *, closed: bool = False, final: bool = True
    ) -> bool | None:
        """Return whether a sentence ends at this stop before `following`; None if unsure yet."""
        marks: str = stop["marks"]
        before = self._text[: stop.start()]
        if marks == ";" and not "\u0370" <= before[-1:] <= "\u03ff":
            return False
        is_closed = closed or bool(stop["closers"])
        if following[0].islower() and (is_closed or marks[-1] in ".\u2026"):
            return False  # "Stop!" he said; Well... maybe; and the like
        if marks != ".":
            return True
        word_match = _LAST_WORD.search(before)
        word = word_match[0] if word_match else ""
        if word.isdigit():
            return self._ends_at_number(before, word, following, final=final)
        return not self._is_abbreviated(before, word, following)

    def _is_abbreviated(self, before: str, word: str, following: str) -> bool:
        """Return whether a full stop behind this word is not that of a sentence."""
        folded = word.lower()
        if folded in _LANGUAGE.abbreviations or _LANGUAGE.phrases.search(before[-16:]):
            return True
        if _LANGUAGE.last_phrases.search(before[-16:]):
            return False
        if following[0].isdigit() and folded in _LANGUAGE.before_numbers:
            return True
        if word in _LANGUAGE.letters:
            return True
        # J. R. Smith, U.S. Army; but "So did I. The others" and "at 5 p.m. The".
        is_initials = _INITIALS.fullmatch(word) is not None and word.isupper()
        return is_initials and word not in _LANGUAGE.words

    def _ends_at_number(
        self, before: str, number: str, following: str, *, final: bool
    ) -> bool | None:
        """Return whether a full stop behind a number ends a sentence."""
        if before.strip() == number:
            return False  # "1. Go north." is a line of a list
        next_word = _NEXT_WORD.match(following)
        assert next_word is not None
        word = next_word[0].lower()
        if next_word.end() == len(following) and not final and word:
            return None if any(each.startswith(word) for each in _LANGUAGE.ordinals) else True
        return word not in _LANGUAGE.ordinals
