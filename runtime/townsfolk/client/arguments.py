"""What callers pass, checked here where no message of the contract can hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from townsfolk.client.errors import InvalidArgumentError
from townsfolk.v1.townsfolk_pb2 import TokenIds

M = TypeVar("M", bound=Message)

MAX_MILLISECONDS = 2**31 - 1


def message(kind: type[M], /, **fields: Any) -> M:
    """Make a message of these fields.

    Raises:
        InvalidArgumentError: A field can't hold its value; the message names it.
    """
    try:
        return kind(**fields)
    except ValueError:
        for name, value in fields.items():
            try:
                kind(**{name: value})
            except UnicodeEncodeError:
                raise InvalidArgumentError(
                    f"{name}: holds half of a surrogate pair, which is no character: leave it out"
                ) from None
            except ValueError as error:
                raise InvalidArgumentError(f"{name}: {error}") from None
        raise


def prompt_field(prompt: str | Sequence[int]) -> dict[str, Any]:
    """Return the field of a request that holds a prompt: a text, or token ids.

    Raises:
        InvalidArgumentError: It is neither.
    """
    if isinstance(prompt, str):
        return {"text": prompt}
    return {"token_ids": message(TokenIds, ids=prompt)}


def check_options(what: str, options: Mapping[str, object], declared: type) -> None:
    """Check that all options are among those of a TypedDict.

    Raises:
        TypeError: One is not; the message names it, and what has no such option.
    """
    if unknown := options.keys() - declared.__annotations__.keys():
        raise TypeError(f"{what} has no option {', '.join(sorted(unknown))}")


def milliseconds(name: str, seconds: float | None) -> int:
    """Return a time in whole milliseconds, at least 1; 0 for None or 0, which is no limit.

    Raises:
        InvalidArgumentError: It is negative, endless, or no number; the message has the name.
    """
    if seconds is None or seconds == 0:
        return 0
    if not (0 < seconds <= MAX_MILLISECONDS / 1000):  # nan is not, either
        raise InvalidArgumentError(
            f"{name}: is {seconds} (allowed: seconds from 0, which is no limit, "
            f"to {MAX_MILLISECONDS // 1000})"
        )
    return math.ceil(seconds * 1000)


def token(text: str) -> str:
    """Return a token, if it can travel in a header.

    Raises:
        InvalidArgumentError: It holds spaces, control characters or what is not ASCII.
    """
    if not all("!" <= character <= "~" for character in text):
        raise InvalidArgumentError(
            "token: must be printable ASCII without spaces, as it travels in a header"
        )
    return text
