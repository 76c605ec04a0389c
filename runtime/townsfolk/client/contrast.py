"""Parts of a persona that weigh more in a character's replies."""

from __future__ import annotations

from townsfolk.client.arguments import message
from townsfolk.client.errors import InvalidArgumentError
from townsfolk.v1.dialogue_pb2 import PersonaContrast, PersonaField

_FIELDS = {
    "description": PersonaField.PERSONA_FIELD_DESCRIPTION,
    "goals": PersonaField.PERSONA_FIELD_GOALS,
    "speaking_style": PersonaField.PERSONA_FIELD_SPEAKING_STYLE,
    "taboos": PersonaField.PERSONA_FIELD_TABOOS,
    "example_lines": PersonaField.PERSONA_FIELD_EXAMPLE_LINES,
}


def contrast(strength: float, *fields: str) -> PersonaContrast:
    """Return how much more parts of a persona weigh, for `Runtime.npc`.

    Args:
        strength: Above 0, at most 10. From 0.5 to 1.5 is noticed, more makes replies odd.
        fields: "description", "goals", "speaking_style", "taboos", "example_lines". None: all.

    Raises:
        InvalidArgumentError: One of them is none of these, or the strength is no number.
    """
    for field in fields:
        if field not in _FIELDS:
            raise InvalidArgumentError(f"fields: {field!r} is none (allowed: {', '.join(_FIELDS)})")
    numbers = [_FIELDS[field] for field in fields]
    return message(PersonaContrast, fields=numbers, strength=strength)
