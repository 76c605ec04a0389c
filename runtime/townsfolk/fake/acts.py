"""What a script has a character do, as the JSON that a model would write."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from townsfolk.grammar import CompiledGrammar
from townsfolk.text.tokenizer import Tokenizer


class UnfitActError(ValueError):
    """A script has a character do what it can't now; the message says what it can."""


class ScriptedAct(BaseModel):
    """An action that a character takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Of the action.")
    arguments: dict[str, Any] = Field(default={}, description="The action's.")

    def __hash__(self) -> int:
        return hash(self.name)

    @model_validator(mode="after")
    def _is_json(self) -> Self:
        try:
            json.dumps(self.arguments, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"arguments: are nothing that JSON can hold: {error}") from None
        return self

    def written(self, grammar: CompiledGrammar) -> str:
        """Return it as a model writes it: in the order of the action's schema."""
        call: dict[str, Any] = {"name": self.name}
        for schema in _calls(grammar):
            if schema["properties"]["name"].get("const") == self.name:
                for key, of_key in schema["properties"].items():
                    if key != "name":
                        call[key] = _ordered(self.arguments, of_key)
        return json.dumps(call, ensure_ascii=False)


def check_written(text: str, grammar: CompiledGrammar, tokenizer: Tokenizer) -> None:
    """Hold an action's JSON to its grammar.

    Raises:
        UnfitActError: It is none that can be taken.
    """
    matcher = grammar.matcher()
    fits = all(matcher.raw.consume_token(each) for each in tokenizer.encode(text, continues=True))
    if not (fits and matcher.is_complete):
        possible = "; ".join(
            json.dumps(schema["properties"], ensure_ascii=False) for schema in _calls(grammar)
        )
        raise UnfitActError(f"{text!r} is no action that can be taken now: {possible}")


def _calls(grammar: CompiledGrammar) -> list[dict[str, Any]]:
    """Return the schemas of what can be called."""
    schema: dict[str, Any] = json.loads(grammar.grammar.source)
    found: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return found


def _ordered(value: Any, schema: Any) -> Any:
    """Return the same value, its fields in the order of a schema."""
    if not isinstance(value, dict) or not isinstance(schema, dict):
        return value
    known = schema.get("properties", {})
    first = {name: _ordered(value[name], known[name]) for name in known if name in value}
    return first | {name: each for name, each in value.items() if name not in first}
