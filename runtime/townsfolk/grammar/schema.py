"""JSON Schemas as they are compiled: closed where that only leaves out what nobody asked for."""

from __future__ import annotations

import json
from typing import Any

from townsfolk.grammar.errors import InvalidGrammarError

# Where a schema has other schemas: as a value, in a list, or by name.
_ONE = ("items", "additionalProperties", "contains")
_LISTS = ("anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_VALUES = ("enum", "const", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")
_LARGEST = 2**53 - 1  # that JSON's numbers hold everywhere
# Together with these, an object's properties need not all stand beside each other.
_OPENING = ("patternProperties", "additionalProperties", "unevaluatedProperties", "minProperties")


def parse_schema(text: str) -> dict[str, Any]:
    """Read a schema's text.

    Objects that list their properties get no others: they would be right, too, but no caller asks
    for them and a small model goes on making them up until it is cut off. Integers get no more
    digits than JSON's numbers hold, for the same reason.

    Raises:
        InvalidGrammarError: it is no JSON, or no schema.
    """
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidGrammarError(f"grammar.json_schema: is no JSON: {error}") from None
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise InvalidGrammarError(
            'grammar.json_schema: must be an object, such as {"type": "object"}'
            + (", as false allows nothing" if schema is False else "")
        )
    try:
        if '"allOf"' not in text:  # whose parts see each other's properties
            _close(schema)
    except RecursionError:
        raise InvalidGrammarError("grammar.json_schema: is nested too deep") from None
    return schema


def _close(schema: Any) -> None:
    """Close the objects of a schema and of all schemas in it, in place; bound its integers."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "integer" and not any(name in schema for name in _VALUES):
        _bound(schema)
    properties = schema.get("properties")
    if isinstance(properties, dict) and not any(name in schema for name in (*_OPENING, "$ref")):
        required = schema.get("required", [])
        if isinstance(required, list) and all(name in properties for name in required):
            schema["additionalProperties"] = False
    for name in _ONE:
        _close(schema.get(name))
    for name in _LISTS:
        several = schema.get(name)
        for each in several if isinstance(several, list) else ():
            _close(each)
    for name in _NAMED:
        named = schema.get(name)
        for each in named.values() if isinstance(named, dict) else ():
            _close(each)


def _bound(schema: dict[str, Any]) -> None:
    """Bound an integer, where that leaves any."""
    low, high = schema.get("minimum", -_LARGEST), schema.get("maximum", _LARGEST)
    if isinstance(low, int | float) and isinstance(high, int | float) and low <= high:
        schema["minimum"], schema["maximum"] = low, high
