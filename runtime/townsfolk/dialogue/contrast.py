"""Which parts of a persona weigh more than the model would have them."""

from enum import Enum

from pydantic import Field, field_validator

from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Persona
from townsfolk.engine.rules import MAX_CONTRAST


class PersonaField(Enum):
    """What of a persona can weigh more; the values are the fields' names."""

    DESCRIPTION = "description"
    GOALS = "goals"
    SPEAKING_STYLE = "speaking_style"
    TABOOS = "taboos"
    EXAMPLE_LINES = "example_lines"


class PersonaContrast(Outside):
    """Which parts of a persona weigh more, and how much."""

    fields: tuple[PersonaField, ...] = tuple(PersonaField)
    strength: float = Field(gt=0, le=MAX_CONTRAST, description=f"above 0, at most {MAX_CONTRAST:g}")

    @field_validator("fields")
    @classmethod
    def _some(cls, fields: tuple[PersonaField, ...]) -> tuple[PersonaField, ...]:
        return fields or tuple(PersonaField)

    def plain(self, persona: Persona) -> Persona:
        """Return the persona without those parts."""
        return persona.without(field.value for field in self.fields)
