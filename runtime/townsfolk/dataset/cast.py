"""Who is to be played by a teacher: personas, lore, and facts that can be asked for.

A YAML file::

    licence: CC0-1.0
    lore: [Greywater is a town on two banks of a slow river.]
    characters:
      - name: Orrin Tidewell
        description: The ferryman of Greywater. A crossing costs two coppers.
        facts:
          - ask: ["What do I pay for the crossing?"]
            says: [two coppers]                  # one of these is in a right answer
            line: Two coppers, landling.         # a right answer
            never: [Five silver pieces.]         # answers that contradict it
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, model_validator

from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Persona
from townsfolk.text.utf8 import read_text


class Fact(Outside):
    """Something that a character knows, and how it is asked for."""

    ask: tuple[str, ...] = Field(min_length=1, description="at least one question")
    says: tuple[str, ...] = Field(default=(), description="texts of which a right answer has one")
    line: str = Field(default="", description="a right answer")
    never: tuple[str, ...] = Field(default=(), description="answers that contradict it")

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if not self.says and not self.never:
            raise ValueError("says or never is needed, to judge an answer by")
        if self.never and not self.line:
            raise ValueError("line is needed beside never: a right answer to hold against it")
        if len({self.line, *self.never}) <= len(self.never):
            raise ValueError("never: has a text twice, or the line itself")
        return self


class Character(Persona):
    """A persona, with what it knows besides what all know."""

    lore: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def persona(self) -> Persona:
        """The persona alone."""
        return Persona(**{name: getattr(self, name) for name in Persona.model_fields})


class Cast(Outside):
    """All characters of a file."""

    licence: str = ""
    lore: tuple[str, ...] = ()
    characters: tuple[Character, ...] = Field(min_length=1, description="at least one")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [each.name for each in self.characters]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"characters: there are two called {twice[0]!r}")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            ValueError: It can't be used; the message names file and field.
        """
        try:
            values = yaml.safe_load(read_text(path))
            if not isinstance(values, dict):
                raise InvalidFieldError("must have the fields characters, lore and licence")
            return cls.checked(**values)
        except (InvalidFieldError, yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from None

    @property
    def digest(self) -> str:
        """What the cast is told by: the same for the same content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
