"""Settings as command-line options: one option a field, its description the help."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Settings = TypeVar("Settings", bound=BaseModel)


def whole_number(least: int) -> Callable[[str], int]:
    """Return a type of argument: a whole number from `least`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least}, not {text!r}")
        return int(text)

    return number


def positive(text: str) -> float:
    """Return a number above 0: a type of argument."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def share(text: str) -> float:
    """Return a number from 0 to 1: a type of argument."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")
    return number


def add_settings(parser: argparse.ArgumentParser, settings: type[BaseModel]) -> None:
    """Add an option for each field of the settings, `--field-name`."""
    concern = settings.__name__.removesuffix("Settings").lower()
    group = parser.add_argument_group(f"the {concern}")
    for name, field in settings.model_fields.items():
        option = "--" + name.replace("_", "-")
        if option in parser._option_string_actions:
            continue  # two settings share the field
        description = (field.description or "").replace("%", "%%")
        if field.annotation is bool:
            group.add_argument(
                option, action=argparse.BooleanOptionalAction, default=None, help=description
            )
        elif field.default_factory is not None or isinstance(field.default, tuple | list):
            group.add_argument(option, action="append", metavar="VALUE", help=description)
        else:
            shown = "" if field.default in (None, "") else f" Default {field.default}."
            group.add_argument(option, metavar="VALUE", help=description + shown)


def read_settings(options: argparse.Namespace, settings: type[Settings]) -> Settings:
    """Return the settings that the options name; fields without an option keep their default.

    Raises:
        SystemExit: A value is not allowed; the message names the option and what it takes.
    """
    given = {
        name: value
        for name in settings.model_fields
        if (value := getattr(options, name, None)) is not None
    }
    try:
        return settings.model_validate(given)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            option = "--" + "-".join(str(part) for part in problem["loc"]).replace("_", "-")
            lines.append(f"{option}: {problem['msg']}" if problem["loc"] else problem["msg"])
        raise SystemExit("townsfolk: " + "\n".join(lines)) from None
