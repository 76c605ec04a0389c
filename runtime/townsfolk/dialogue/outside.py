"""The base of all data from outside, and the sentence that says what is wrong with it."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from townsfolk.dialogue.errors import InvalidFieldError


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
    reason = first["msg"].removeprefix("Value error, ")
    allowed = _allowed(model, first["loc"])
    return f"{where}: {reason}" + (f" (allowed: {allowed})" if allowed else "")


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
