"""What a reply must be, as `say` and `generate` take it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from townsfolk.client.arguments import message
from townsfolk.client.errors import InvalidArgumentError
from townsfolk.v1.sampling_pb2 import Choices, Grammar


def json_schema(schema: str | Mapping[str, Any]) -> Grammar:
    """Return the grammar of JSON that a schema describes.

    Args:
        schema: A JSON Schema, or its text. `Model.model_json_schema()` of pydantic gives one.

    Raises:
        InvalidArgumentError: It can't be written as JSON.
    """
    if isinstance(schema, str):
        return message(Grammar, json_schema=schema)
    try:
        text = json.dumps(schema, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"json_schema: can't be written as JSON: {error}") from None
    return message(Grammar, json_schema=text)


def regex(pattern: str) -> Grammar:
    """Return the grammar of texts that a regular expression matches from end to end."""
    return message(Grammar, regex=pattern)


def lark(text: str) -> Grammar:
    """Return a grammar in Lark's notation, whose rule `start` is the whole reply."""
    return message(Grammar, lark=text)


def choices(options: Iterable[str]) -> Grammar:
    """Return the grammar of a few texts: the reply is one of them."""
    return Grammar(choices=message(Choices, options=list(options)))
