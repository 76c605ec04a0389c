"""What a reply must be, as the caller wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from townsfolk.grammar.errors import InvalidGrammarError

MAX_CHARACTERS = 64 * 1024
MAX_CHOICES = 1024


class GrammarKind(Enum):
    """The ways to say what a reply must be; the values are the fields of the contract."""

    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    LARK = "lark"
    CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a reply must be. Equal ones are compiled once.

    Attributes:
        kind: how `source` is to be read.
        source: the text of a JSON Schema, a regular expression, or a grammar in Lark's notation;
            for choices, a JSON list of them.
    """

    kind: GrammarKind
    source: str

    def __post_init__(self) -> None:
        """Check the length.

        Raises:
            InvalidGrammarError: it is empty or too long.
        """
        name = f"grammar.{self.kind.value}"
        if not self.source.strip():
            raise InvalidGrammarError(f"{name}: is empty")
        if len(self.source) > MAX_CHARACTERS:
            raise InvalidGrammarError(
                f"{name}: has {len(self.source)} characters (allowed: at most {MAX_CHARACTERS})"
            )

    @classmethod
    def json_schema(cls, schema: str | dict[str, Any]) -> Grammar:
        """Return the grammar of JSON that a schema describes."""
        text = schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False)
        return cls(GrammarKind.JSON_SCHEMA, text)

    @classmethod
    def regex(cls, pattern: str) -> Grammar:
        """Return the grammar of texts that a regular expression matches from end to end."""
        return cls(GrammarKind.REGEX, pattern)

    @classmethod
    def lark(cls, text: str) -> Grammar:
        """Return a grammar in Lark's notation, whose rule `start` is the whole reply."""
        return cls(GrammarKind.LARK, text)

    @classmethod
    def choices(cls, options: list[str] | tuple[str, ...]) -> Grammar:
        """Return the grammar of a few texts.

        Raises:
            InvalidGrammarError: there is none, one is empty or there twice, or there are too many.
        """
        if not 1 <= len(options) <= MAX_CHOICES:
            raise InvalidGrammarError(
                f"grammar.choices: has {len(options)} options (allowed: 1 to {MAX_CHOICES})"
            )
        if len(set(options)) < len(options):
            raise InvalidGrammarError("grammar.choices: has an option twice")
        if not all(options):
            raise InvalidGrammarError("grammar.choices: has an option that is empty")
        return cls(GrammarKind.CHOICES, json.dumps(list(options), ensure_ascii=False))

    @property
    def is_json(self) -> bool:
        """Whether the reply is data, which nobody speaks aloud."""
        return self.kind is GrammarKind.JSON_SCHEMA
