"""JSON Schemas of all kinds that a game could have, made up at random, and what they allow."""

from __future__ import annotations

import random
from typing import Any

WORDS = ("mood", "gold", "line", "target", "items", "x", "y", "name", "why", "größe", 'é"q', "a b")


def random_schema(choose: random.Random, depth: int = 3) -> dict[str, Any]:
    """Return a schema; deeper ones become rarer the deeper they are."""
    kinds = [_string, _string, _enum, _const, _integer, _number, _boolean, _null]
    if depth > 0:
        kinds += [_object, _object, _object, _array, _array, _any_of, _optional]
    return choose.choice(kinds)(choose, depth - 1)


def random_document(choose: random.Random) -> dict[str, Any]:
    """Return a schema whose documents are objects or arrays, some by references, some recursive."""
    schema = choose.choice((_object, _object, _array, _tree))(choose, 3)
    if choose.random() < 0.2:
        schema = {"$defs": {"thing": _object(choose, 1)}, **schema}
        if "properties" in schema:
            schema["properties"]["thing"] = {"$ref": "#/$defs/thing"}
    return schema


def _string(choose: random.Random, _: int) -> dict[str, Any]:
    return choose.choice(
        (
            {"type": "string"},
            {"type": "string", "maxLength": choose.randint(1, 30)},
            {"type": "string", "minLength": choose.randint(1, 5), "maxLength": 12},
            {"type": "string", "pattern": "^[A-Z][a-z]{1,8}$"},
            {"type": "string", "pattern": "^(north|south) gate [0-9]{1,2}$"},
            {"type": "string", "format": "date"},
        )
    )


def _enum(choose: random.Random, _: int) -> dict[str, Any]:
    values: list[Any] = [*choose.sample(WORDS, choose.randint(1, 4))]
    if choose.random() < 0.3:
        values += [choose.randint(-5, 5), None]
    return {"enum": values}


def _const(choose: random.Random, _: int) -> dict[str, Any]:
    return {"const": choose.choice([*WORDS, 7, True, None, [1, 2]])}


def _integer(choose: random.Random, _: int) -> dict[str, Any]:
    low = choose.randint(-100, 100)
    return choose.choice(
        (
            {"type": "integer"},
            {"type": "integer", "minimum": low},
            {"type": "integer", "minimum": low, "maximum": low + choose.randint(0, 1000)},
        )
    )


def _number(choose: random.Random, _: int) -> dict[str, Any]:
    return choose.choice(({"type": "number"}, {"type": "number", "minimum": 0, "maximum": 1}))


def _boolean(_: random.Random, __: int) -> dict[str, Any]:
    return {"type": "boolean"}


def _null(_: random.Random, __: int) -> dict[str, Any]:
    return {"type": "null"}


def _object(choose: random.Random, depth: int) -> dict[str, Any]:
    names = choose.sample(WORDS, choose.randint(1, 5))
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: random_schema(choose, depth) for name in names},
        "required": choose.sample(names, choose.randint(0, len(names))),
    }
    if choose.random() < 0.3:
        schema["additionalProperties"] = choose.choice((False, {"type": "integer"}))
    return schema


def _array(choose: random.Random, depth: int) -> dict[str, Any]:
    least = choose.randint(0, 2)
    schema = {"type": "array", "items": random_schema(choose, depth), "minItems": least}
    if choose.random() < 0.6:
        schema["maxItems"] = least + choose.randint(0, 4)
    return schema


def _any_of(choose: random.Random, depth: int) -> dict[str, Any]:
    return {"anyOf": [random_schema(choose, depth) for _ in range(choose.randint(1, 3))]}


def _optional(choose: random.Random, depth: int) -> dict[str, Any]:
    return {"type": choose.choice((["string", "null"], ["integer", "boolean", "null"]))}


def _tree(choose: random.Random, _: int) -> dict[str, Any]:
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 8},
            "below": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        "required": ["name"],
    }
    return {"$defs": {"node": node}, "$ref": "#/$defs/node"}
