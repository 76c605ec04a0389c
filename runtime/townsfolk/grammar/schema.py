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
_VALUE = 20  # bytes of a number, a date, a short text
_MOST_BYTES = 4096
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


def fullest(schema: dict[str, Any]) -> int:
    """Return about how many bytes a document takes that has all that is optional, each once.

    What is still to be written of a document takes no more, wherever it stands, unless a schema
    contains itself.
    """
    try:
        return min(_size(schema, schema, frozenset()), _MOST_BYTES)
    except RecursionError:
        return _MOST_BYTES


def _size(schema: Any, root: dict[str, Any], seen: frozenset[str]) -> int:
    if not isinstance(schema, dict):
        return _VALUE
    if isinstance(ref := schema.get("$ref"), str):
        return 0 if ref in seen else _size(_found(ref, root), root, seen | {ref})
    if "const" in schema:
        return len(json.dumps(schema["const"]))
    if isinstance(values := schema.get("enum"), list):
        return max((len(json.dumps(each)) for each in values), default=0)

    def size(inner: Any) -> int:
        return _size(inner, root, seen)

    of_lists = [map(size, schema[name]) for name in _LISTS if isinstance(schema.get(name), list)]
    total = _VALUE + sum(max(sizes, default=0) for sizes in of_lists)
    if isinstance(parts := schema.get("allOf"), list):
        total += sum(map(size, parts))
    for name in ("properties", "patternProperties"):
        if isinstance(named := schema.get(name), dict):
            total += sum(len(json.dumps(key)) + 4 + size(each) for key, each in named.items())
    if isinstance(parts := schema.get("prefixItems"), list):
        total += sum(size(each) + 2 for each in parts)
    if "items" in schema:
        total += max(_count(schema, "minItems"), 1) * (size(schema["items"]) + 2)
    if schema.get("additionalProperties"):
        total += _VALUE + size(schema["additionalProperties"])
    return total + _count(schema, "minLength")


def _count(schema: dict[str, Any], name: str) -> int:
    count = schema.get(name, 0)
    return int(count) if isinstance(count, int | float) else 0


def _found(ref: str, root: dict[str, Any]) -> Any:
    """Return the schema that a reference within the document names."""
    found: Any = root
    for part in ref.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found
