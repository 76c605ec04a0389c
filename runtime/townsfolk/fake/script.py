"""What a fake runtime's characters say, when, and what goes wrong: a TOML file."""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from townsfolk.dialogue.turn import TurnCue
from townsfolk.fake.acts import ScriptedAct
from townsfolk.fake.vocabulary import Heard


class ScriptError(ValueError):
    """A script can't be read; the message says where and why."""


class Failure(Enum):
    """What goes wrong with a line."""

    OVERLOADED = "overloaded"
    """The runtime refuses the turn, as too much is going on."""
    FAILED = "failed"
    """The turn fails; the runtime goes on."""
    HANG = "hang"
    """Nothing more comes until somebody interrupts, or the deadline passes."""
    ENGINE = "engine"
    """The engine fails, and with it every turn; the runtime ends with status 1."""
    CRASH = "crash"
    """The runtime's process is gone at once."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Timing(_Data):
    """How fast a line is said; what is not set is as in the script's [defaults]."""

    delay_ms: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Before the first word."
    )
    words_per_second: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="0: all at once."
    )


class Line(Timing):
    """What somebody answers."""

    character: str = Field(default="", description="Who; empty: anybody.")
    heard: str = Field(
        default="",
        description="A regular expression that is looked for in what was said, in any letter case; "
        "empty: whatever it was.",
    )
    cue: TurnCue | None = Field(
        default=None,
        description='What it answers: "said", somebody; "event", what happens; "none", nothing, as '
        "the character speaks of its own accord. Not set: any of them.",
    )
    says: tuple[str, ...] = Field(
        default=(),
        description="What the character answers; of several, one after the other, and then the "
        "last again. {speaker}, {heard} and {character} stand for what they name.",
    )
    acts: tuple[ScriptedAct, ...] = Field(
        default=(),
        description="What the character does behind it, if the turn lets it act: a name, and "
        "arguments; of several, one after the other.",
    )
    fails: Failure | None = Field(default=None, description="What goes wrong.")
    after_words: int | None = Field(
        default=None, ge=0, description="How many words are said before that; not set: all."
    )

    @field_validator("heard")
    @classmethod
    def _is_a_pattern(cls, heard: str) -> str:
        try:
            re.compile(heard)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return heard

    @field_validator("says", mode="before")
    @classmethod
    def _one_or_several(cls, says: object) -> object:
        return (says,) if isinstance(says, str) else says

    @field_validator("acts", mode="before")
    @classmethod
    def _one_act_or_several(cls, acts: object) -> object:
        return (acts,) if isinstance(acts, dict) else acts

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not any(text.strip() for text in self.says) and not self.acts and self.fails is None:
            raise ValueError("says nothing: set says, acts, or fails")
        return self

    def fits(self, character: str | None, heard: Heard) -> bool:
        """Return whether this is the line for such a turn; None is any character."""
        is_theirs = character is None or self.character in ("", character)
        is_such = self.cue in (None, heard.cue)
        return (
            is_theirs and is_such and re.search(self.heard, heard.text, re.IGNORECASE) is not None
        )


class Script(_Data):
    """A whole script. The first line that fits a turn is said."""

    start_ms: float = Field(
        default=0, ge=0, allow_inf_nan=False, description="How long the model seems to load."
    )
    start_error: str = Field(default="", description="Why the model can't be loaded, if it can't.")
    context_tokens: int = Field(
        default=32_768,
        ge=1024,
        le=1 << 20,
        description="The context of the model that is not there; a token is a byte.",
    )
    defaults: Timing = Timing(delay_ms=0, words_per_second=0)
    lines: tuple[Line, ...] = Field(default=(), description="The lines, [[lines]] each.")

    @classmethod
    def read(cls, path: Path) -> Script:
        """Read a script.

        Raises:
            ScriptError: It can't be read, or something in it is not allowed.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ScriptError(f"{path}: {error}") from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = [
                f"{'.'.join(str(part) for part in problem['loc']) or 'the script'}: "
                f"{problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors()
            ]
            raise ScriptError(f"{path}: " + "; ".join(problems)) from error

    def find(self, character: str | None, heard: Heard) -> Line | None:
        """Return the line for a turn; None where the script has none. No character is any."""
        return next((line for line in self.lines if line.fits(character, heard)), None)

    def delay_s(self, line: Line) -> float:
        """Return how long a line waits for its first word, in seconds."""
        delay = self.defaults.delay_ms if line.delay_ms is None else line.delay_ms
        return (delay or 0) / 1000

    def word_s(self, line: Line) -> float:
        """Return how long each further word takes, in seconds."""
        rate = line.words_per_second
        rate = self.defaults.words_per_second if rate is None else rate
        return 1 / rate if rate else 0.0
