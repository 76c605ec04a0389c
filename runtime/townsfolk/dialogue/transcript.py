"""What was said and what happened, line by line."""

from enum import Enum
from typing import Self

from pydantic import Field, model_validator

from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Line


class EntryKind(Enum):
    """What kind of line an entry is."""

    HEARD = "heard"
    """Somebody spoke to the character."""
    SPOKE = "spoke"
    """The character spoke."""
    EVENT = "event"
    """Something happened that the character learned of."""


class TranscriptEntry(Outside):
    """One line of a transcript."""

    kind: EntryKind = Field(description="heard, spoke or event")
    speaker: Line = Field(
        default="", max_length=64, description="at most 64 characters, one line; empty for events"
    )
    text: str
    cut: bool = False
    """The character was cut off here: `text` is what was said until then."""
    turn_id: str = Field(default="", max_length=128, description="at most 128 characters")

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if not self.text.strip() and not self.cut:
            raise ValueError("text must not be empty, except that of a reply that was cut")
        return self
