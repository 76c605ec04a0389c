"""Which parts of a persona weigh more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from townsfolk.dialogue.contrast import PersonaContrast, PersonaField
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.messages.sampling import widened
from townsfolk.v1 import dialogue_pb2

_FIELDS: Mapping[dialogue_pb2.PersonaField, PersonaField] = {
    dialogue_pb2.PERSONA_FIELD_DESCRIPTION: PersonaField.DESCRIPTION,
    dialogue_pb2.PERSONA_FIELD_GOALS: PersonaField.GOALS,
    dialogue_pb2.PERSONA_FIELD_SPEAKING_STYLE: PersonaField.SPEAKING_STYLE,
    dialogue_pb2.PERSONA_FIELD_TABOOS: PersonaField.TABOOS,
    dialogue_pb2.PERSONA_FIELD_EXAMPLE_LINES: PersonaField.EXAMPLE_LINES,
}
_MESSAGE_FIELDS = {field: number for number, field in _FIELDS.items()}


def contrast_fields(message: dialogue_pb2.SessionConfig) -> dict[str, Any] | None:
    """Return the fields of a `PersonaContrast`, to be checked; None where there is none.

    Raises:
        InvalidRequestError: An enum has none of its values.
    """
    if not message.HasField("contrast"):
        return None
    for index, field in enumerate(message.contrast.fields):
        if field not in _FIELDS:
            allowed = ", ".join(map(dialogue_pb2.PersonaField.Name, _FIELDS))
            raise InvalidRequestError(f"contrast.fields.{index}: is {field} (allowed: {allowed})")
    return {
        "fields": tuple(_FIELDS[field] for field in message.contrast.fields),
        "strength": widened(message.contrast.strength),
    }


def contrast_message(contrast: PersonaContrast | None) -> dialogue_pb2.PersonaContrast | None:
    """Return what a saved game keeps of it."""
    if contrast is None:
        return None
    fields = [_MESSAGE_FIELDS[field] for field in contrast.fields]
    return dialogue_pb2.PersonaContrast(fields=fields, strength=contrast.strength)
