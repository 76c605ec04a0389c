"""What a character answered to a line: words and actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Act:
    """An action that was taken."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        text: What was said.
        acts: What was done, in order.
        looped: It went round in circles, or ran to its limit.
    """

    text: str
    acts: tuple[Act, ...] = ()
    looped: bool = False
