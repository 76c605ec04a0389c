"""The base of all data from outside, and the sentence that says what is wrong with it."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from townsfolk.dialogue.errors import InvalidFieldError

# What is said of a value, by the kind of error that Pydantic finds: its own sentences are for
# programmers in Python, these are read by whoever makes a game. What has limits has them in braces.
_REASONS = {
    "string_too_long": "is too long: at most {max_length} characters",
    "string_too_short": "is too short: at least {min_length} characters",
    "too_long": "is too long: at most {max_length}",
    "too_short": "is too short: at least {min_length}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


class Outside(BaseModel):
    """Data from a game, a saved game or a player: immutable, and without unknown fields.

    The description of a field with a limit states its range; error messages quote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, **fields: Any) -> Self:
        """Build the object from plain values.

        Raises:
            InvalidFieldError: A value is not allowed; the message is one sentence that names the
                field and its range.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InvalidFieldError(_sentence(cls, error)) from None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or model.__name__
    reason = _reason(first["type"], first.get("ctx", {})) or first["msg"]
    reason = reason.removeprefix("Value error, ")
    allowed = _allowed(model, first["loc"])
    return f"{where}: {reason}" + (f" (allowed: {allowed})" if allowed else "")


def _reason(kind: str, limits: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a value, in a game maker's words; None where there are none."""
    reason = _REASONS.get(kind)
    if kind == "string_too_short" and limits["min_length"] == 1:
        reason = "must not be empty: at least 1 character"
    return None if reason is None else reason.format_map(limits)


def _allowed(model: type[BaseModel], location: tuple[int | str, ...]) -> str | None:
    """Return the description of the field at `location`, which states its range."""
    field = None
    for step in location:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        if field is None:
            return None
        inner = _model_inside(field.annotation)
        if inner is None:
            break
        model = inner
    return field.description if field is not None else None


def _model_inside(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation: `Persona`, `Persona | None` or `tuple[Persona, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _model_inside(argument):
            return found
    return None
