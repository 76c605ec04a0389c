"""What of a reply is said aloud, and what is a stage direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from townsfolk.dialogue import events
from townsfolk.dialogue.speech import SpeechSettings, StageDirections
from townsfolk.service.errors import InvalidRequestError
from townsfolk.text.directions import Mark
from townsfolk.v1 import dialogue_pb2

_DIRECTIONS: Mapping[dialogue_pb2.StageDirections, StageDirections] = {
    dialogue_pb2.STAGE_DIRECTIONS_UNSPECIFIED: StageDirections.KEEP,
    dialogue_pb2.STAGE_DIRECTIONS_KEEP: StageDirections.KEEP,
    dialogue_pb2.STAGE_DIRECTIONS_APART: StageDirections.APART,
    dialogue_pb2.STAGE_DIRECTIONS_DROP: StageDirections.DROP,
    dialogue_pb2.STAGE_DIRECTIONS_SPEAK: StageDirections.SPEAK,
}
_MARKS: Mapping[dialogue_pb2.DirectionMark, Mark] = {
    dialogue_pb2.DIRECTION_MARK_ASTERISKS: Mark.ASTERISKS,
    dialogue_pb2.DIRECTION_MARK_PARENTHESES: Mark.PARENTHESES,
    dialogue_pb2.DIRECTION_MARK_BRACKETS: Mark.BRACKETS,
    dialogue_pb2.DIRECTION_MARK_TAGS: Mark.TAGS,
}
_MESSAGE_MARKS = {mark: number for number, mark in _MARKS.items()}
_MESSAGE_DIRECTIONS = {directions: number for number, directions in _DIRECTIONS.items()}


def speech_fields(message: dialogue_pb2.SpeechSettings) -> dict[str, Any]:
    """Return the fields of `SpeechSettings`, to be checked with what they belong to.

    Raises:
        InvalidRequestError: An enum has none of its values.
    """
    if message.directions not in _DIRECTIONS:
        raise InvalidRequestError(
            f"speech.directions: is {message.directions} (allowed: STAGE_DIRECTIONS_KEEP, "
            "STAGE_DIRECTIONS_APART, STAGE_DIRECTIONS_DROP, STAGE_DIRECTIONS_SPEAK)"
        )
    for index, mark in enumerate(message.marks):
        if mark not in _MARKS:
            allowed = ", ".join(map(dialogue_pb2.DirectionMark.Name, _MARKS))
            raise InvalidRequestError(f"speech.marks.{index}: is {mark} (allowed: {allowed})")
    fields: dict[str, Any] = {"directions": _DIRECTIONS[message.directions]}
    if message.marks:
        fields["marks"] = tuple(_MARKS[mark] for mark in message.marks)
    return fields


def speech_message(settings: SpeechSettings) -> dialogue_pb2.SpeechSettings | None:
    """Return the settings, as far as they are not the default."""
    if settings == SpeechSettings():
        return None
    return dialogue_pb2.SpeechSettings(
        directions=_MESSAGE_DIRECTIONS[settings.directions],
        marks=[_MESSAGE_MARKS[mark] for mark in settings.marks],
    )


def direction_message(event: events.DirectionGiven) -> dialogue_pb2.DirectionGiven:
    """Return that a character does something."""
    return dialogue_pb2.DirectionGiven(
        turn_id=event.turn_id,
        speaker=event.speaker,
        text=event.text,
        mark=_MESSAGE_MARKS[event.mark],
        offset=event.offset,
        length=event.length,
    )
