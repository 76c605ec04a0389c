"""What of a character's replies is said aloud."""

from __future__ import annotations

from collections.abc import Iterable

from townsfolk.client.errors import InvalidArgumentError
from townsfolk.v1.dialogue_pb2 import DirectionMark, SpeechSettings, StageDirections

_DIRECTIONS = {
    "keep": StageDirections.STAGE_DIRECTIONS_KEEP,
    "apart": StageDirections.STAGE_DIRECTIONS_APART,
    "drop": StageDirections.STAGE_DIRECTIONS_DROP,
    "speak": StageDirections.STAGE_DIRECTIONS_SPEAK,
}
_MARKS = {
    "asterisks": DirectionMark.DIRECTION_MARK_ASTERISKS,
    "parentheses": DirectionMark.DIRECTION_MARK_PARENTHESES,
    "brackets": DirectionMark.DIRECTION_MARK_BRACKETS,
    "tags": DirectionMark.DIRECTION_MARK_TAGS,
}


def speech(directions: str = "keep", marks: Iterable[str] = ()) -> SpeechSettings:
    """Return what becomes of the stage directions in a character's replies.

    Args:
        directions: "keep" leaves them in the text, told apart by `TextDelta.direction`; "apart"
            takes them out and tells of each in `direction_given`; "drop" takes them out; "speak"
            takes nothing for a direction.
        marks: How they are marked: "asterisks", "parentheses", "brackets", "tags". None: all.

    Raises:
        InvalidArgumentError: One of them is none of these.
    """
    if directions not in _DIRECTIONS:
        allowed = ", ".join(_DIRECTIONS)
        raise InvalidArgumentError(f"directions: is {directions!r} (allowed: {allowed})")
    given = list(marks)
    for mark in given:
        if mark not in _MARKS:
            raise InvalidArgumentError(f"marks: {mark!r} is none (allowed: {', '.join(_MARKS)})")
    return SpeechSettings(
        directions=_DIRECTIONS[directions], marks=[_MARKS[mark] for mark in given]
    )
