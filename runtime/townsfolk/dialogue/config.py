"""Everything that defines one character's session."""

from enum import Enum
from typing import Self

from pydantic import Field, field_validator, model_validator

from townsfolk.dialogue.actions import MAX_ACTIONS, Action
from townsfolk.dialogue.confidence import HesitationEntropy
from townsfolk.dialogue.contrast import PersonaContrast
from townsfolk.dialogue.limits import MAX_ENTRIES
from townsfolk.dialogue.lore import LoreId
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.speech import SpeechSettings
from townsfolk.dialogue.transcript import TranscriptEntry


class OverflowPolicy(Enum):
    """What to do when a conversation outgrows the model's context."""

    DROP_OLDEST = "drop_oldest"
    """Forget the oldest lines of the transcript; never persona or lore."""


class SessionConfig(Outside):
    """What a session is opened with, and what a saved game keeps of it."""

    session_id: str = Field(default="", max_length=128, description="at most 128 characters")
    persona: Persona
    lore_ids: tuple[LoreId, ...] = Field(
        default=(),
        max_length=256,
        description="at most 256 ids, none twice, each of 1 to 128 characters",
    )
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)
    priority: int = Field(default=0, ge=-100, le=100, description="-100 to 100")
    history: tuple[TranscriptEntry, ...] = Field(
        default=(), max_length=MAX_ENTRIES, description=f"at most {MAX_ENTRIES} lines"
    )
    overflow_policy: OverflowPolicy = OverflowPolicy.DROP_OLDEST
    hesitation_entropy: HesitationEntropy = None
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    contrast: PersonaContrast | None = None
    actions: tuple[Action, ...] = Field(
        default=(), max_length=MAX_ACTIONS, description=f"at most {MAX_ACTIONS}, each name once"
    )
    adapter: str = Field(default="", max_length=128, description="at most 128 characters")
    off_the_record: bool = False
    """Not recorded as play, also where the runtime records."""

    @field_validator("actions")
    @classmethod
    def _each_once(cls, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        names = [action.name for action in actions]
        if len(set(names)) < len(names):
            raise ValueError("has a name twice")
        return actions

    @model_validator(mode="after")
    def _contrasts_something(self) -> Self:
        if self.contrast is not None:
            try:
                self.contrast.plain(self.persona)
            except ValueError as error:
                raise ValueError(f"contrast.fields: {error}") from None
        return self

    @field_validator("lore_ids")
    @classmethod
    def _none_twice(cls, lore_ids: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for lore_id in lore_ids:
            if lore_id in seen:
                raise ValueError(f"has {lore_id!r} twice")
            seen.add(lore_id)
        return lore_ids
