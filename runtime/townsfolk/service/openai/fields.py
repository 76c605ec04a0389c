"""What bodies of OpenAI's clients are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

NAME = r"^[a-zA-Z0-9_-]{1,64}$"
"""Names of functions and schemas."""


class Fields(BaseModel):
    """What a client sends: nothing but what is known, of the types of JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


def as_list(value: Any) -> Any:
    """Return a list of texts, for one may stand alone."""
    return [value] if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """Return a number without a fraction as an integer: JSON does not tell 250.0 from 250."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_map(value: Any) -> Any:
    """Return a map; some languages write an empty one as an empty list."""
    return {} if value == [] else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer, also written as 250.0."""
