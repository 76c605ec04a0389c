"""What of a reply is said aloud, and what is a stage direction."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pydantic import Field, field_validator

from townsfolk.dialogue.outside import Outside
from townsfolk.text.directions import DirectionScanner, Mark, Part, PartKind
from townsfolk.text.sentences import Sentence, SentenceSplitter

_NOT_SPOKEN = " \t\n*_-#~=|"
_NO_SPACE_BEFORE = ".,;:!?\u2026\u3002\uff0c\u3001\uff01\uff1f\u061f\u060c\u0964"


class StageDirections(Enum):
    """What becomes of the stage directions in a character's replies."""

    KEEP = "keep"
    """They stay in the text, where they are told apart; sentences are without them."""
    APART = "apart"
    """They are told of, but the text is without them."""
    DROP = "drop"
    """Nobody learns of them."""
    SPEAK = "speak"
    """Nothing is taken for one: all of a reply is said aloud."""


class SpeechSettings(Outside):
    """How a character's replies are told of."""

    directions: StageDirections = StageDirections.KEEP
    marks: tuple[Mark, ...] = Field(
        default=tuple(Mark), description="each once: asterisks, parentheses, brackets, tags"
    )

    @field_validator("marks")
    @classmethod
    def _each_once(cls, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
        if len(set(marks)) < len(marks):
            raise ValueError("has a mark twice")
        return marks


@dataclass(frozen=True, slots=True)
class Shown:
    """More of the reply's text.

    Attributes:
        text: all of them joined are the reply.
        is_direction: whether it is a stage direction, marks and all.
    """

    text: str
    is_direction: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A stage direction.

    Attributes:
        text: without its marks.
        mark: how it is marked.
        offset: where it stands in the reply, in code points.
        length: how many characters of the reply it takes; 0 where it is not in there.
    """

    text: str
    mark: Mark
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence that is whole.

    Attributes:
        text: what is said aloud: without directions, and without asterisks of emphasis.
        offset: where it begins in the reply, in code points.
        length: how many characters of the reply it takes, with what is not said in it.
        place_of: tells where in the sentence a character of what the model wrote stands; None if
            nowhere.
        raw_end: how many characters the model had written where it ends.
    """

    text: str
    offset: int
    length: int
    place_of: Callable[[int], int | None]
    raw_end: int


class _Places:
    """Where the characters of one text stand in another that has more."""

    def __init__(self) -> None:
        self._own: list[int] = []
        self._other: list[int] = []
        self._lengths: list[int] = []

    def add(self, own: int, other: int, length: int) -> None:
        """Note that characters from `own` on stand from `other` on."""
        if length:
            self._own.append(own)
            self._other.append(other)
            self._lengths.append(length)

    def in_other(self, place: int) -> int:
        """Return where a character stands in the other text."""
        at = max(bisect_right(self._own, place) - 1, 0)
        return self._other[at] + min(place - self._own[at], self._lengths[at] - 1)

    def in_own(self, place: int) -> int | None:
        """Return where a character of the other text stands in this; None if it does not."""
        at = bisect_right(self._other, place) - 1
        if at < 0 or place - self._other[at] >= self._lengths[at]:
            return None
        return self._own[at] + place - self._other[at]


class _Joined:
    """Text out of which parts are taken: no two spaces, and none before a full stop, stay there."""

    def __init__(self) -> None:
        self.length = 0
        self._spaces = ""
        self._has_gap = False

    def leave_out(self) -> None:
        """Something stood here."""
        self._has_gap = True

    def add(self, text: str) -> tuple[str, int]:
        """Return what comes next of the text, and how much at its end was in `text`."""
        if self._has_gap:
            rest = text.lstrip()
            spaces = self._spaces + text[: len(text) - len(rest)]
            if not rest:
                self._spaces = spaces
                return "", 0
            if not self.length or rest[0] in _NO_SPACE_BEFORE:
                spaces = ""
            elif spaces:
                spaces = "\n" if "\n" in spaces else " "
            self._has_gap = False
        else:
            rest, spaces = text, self._spaces
        shown = rest.rstrip()
        if not shown:
            self._spaces = spaces + rest
            return "", 0
        self._spaces = rest[len(shown) :]
        self.length += len(spaces) + len(shown)
        return spaces + shown, len(shown)


class Speech:
    """Tells speech from stage directions while a reply streams, and cuts it into sentences.

    What comes out does not depend on how the reply was cut into pieces, but for how the text is.
    """

    def __init__(self, settings: SpeechSettings, *, has_sentences: bool = True) -> None:
        """Begin a reply."""
        directions = settings.directions
        marks = () if directions is StageDirections.SPEAK else settings.marks
        self._scanner = DirectionScanner(marks)
        self._directions = directions
        self._splitter = SentenceSplitter() if has_sentences else None
        self._shown = _Joined()
        self._spoken = _Joined()
        self._shown_length = 0
        self._raw_length = 0  # of the parts that were taken
        self._in_shown = _Places()  # of what is spoken
        self._in_raw = _Places()

    def take(self, raw: str) -> list[Shown | Described | Spoken]:
        """Take more of the reply."""
        return self._all(self._scanner.push(raw))

    def finish(self) -> list[Shown | Described | Spoken]:
        """Take that the reply, or this part of it, has ended."""
        told = self._all(self._scanner.flush())
        if self._splitter is not None:
            told += self._sentences(self._splitter.finish())
        return told

    def _all(self, parts: list[Part]) -> list[Shown | Described | Spoken]:
        told: list[Shown | Described | Spoken] = []
        for part in parts:
            if part.kind is PartKind.DIRECTION:
                told += self._describe(part)
            else:
                told += self._say(part)
            self._raw_length += len(part.text)
        return told

    def _describe(self, part: Part) -> list[Shown | Described | Spoken]:
        told: list[Shown | Described | Spoken] = []
        if self._splitter is not None:
            told += self._sentences(self._splitter.pause())
        self._spoken.leave_out()
        offset, length = self._shown_length, 0
        if self._directions is StageDirections.KEEP:
            told.append(self._show(part.text, is_direction=True))
            length = len(part.text)
        else:
            self._shown.leave_out()
        if self._directions is not StageDirections.DROP and part.inner:
            assert part.mark is not None
            told.append(Described(part.inner, part.mark, offset, length))
        return told

    def _say(self, part: Part) -> list[Shown | Described | Spoken]:
        told: list[Shown | Described | Spoken] = []
        is_kept = self._directions in (StageDirections.KEEP, StageDirections.SPEAK)
        shown = part.text if is_kept else self._shown.add(part.text)[0]
        shown_from = self._shown_length
        if shown:
            told.append(self._show(shown))
        if self._splitter is None or part.kind is PartKind.FORMAT:
            return told
        spoken, length = self._spoken.add(part.text)
        if not spoken:
            return told
        # Where the characters that are in this part itself stand.
        behind = len(part.text) - len(part.text.rstrip())
        place = self._spoken.length - length
        raw = self._raw_length + len(part.text) - behind - length
        self._in_raw.add(place, raw, length)
        in_shown = shown_from + (len(part.text) - behind if is_kept else len(shown)) - length
        self._in_shown.add(place, in_shown, length)
        return told + self._sentences(self._splitter.take(spoken))

    def _show(self, text: str, *, is_direction: bool = False) -> Shown:
        self._shown_length += len(text)
        return Shown(text, is_direction)

    def _sentences(self, sentences: list[Sentence]) -> list[Shown | Described | Spoken]:
        return [self._sentence(each) for each in sentences if each.text.strip(_NOT_SPOKEN)]

    def _sentence(self, sentence: Sentence) -> Spoken:
        begin, last = sentence.start, sentence.end - 1
        offset = self._in_shown.in_other(begin)

        def place_of(raw: int) -> int | None:
            place = self._in_raw.in_own(raw)
            return None if place is None or not begin <= place <= last else place - begin

        return Spoken(
            sentence.text,
            offset,
            self._in_shown.in_other(last) + 1 - offset,
            place_of,
            self._in_raw.in_other(last) + 1,
        )
