"""What a game is to a character that learns: observations in, typed actions out, rewards back."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from townsfolk.v1.dialogue_pb2 import ActionSpec, Persona


@dataclass(frozen=True, slots=True)
class Action:
    """What the character does.

    Attributes:
        name: of the action.
        arguments: the action's.
        speech: what the character said before it acted.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    speech: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the character learns before it acts.

    Attributes:
        text: what is said to it, or happens.
        speaker: who says it; nobody where it happens.
        actions: the names of the actions that it may take now; none for all.
    """

    text: str
    speaker: str = ""
    actions: Sequence[str] = ()


@runtime_checkable
class Environment(Protocol):
    """A game. It may have `speech_tokens`, too: the most that the character says before it acts.

    One that can be made with `held_out=True` has opponents of its own for measuring.

    Attributes:
        persona: who the character is.
        actions: what it can do: messages, or functions as `Runtime.npc` takes them.
    """

    persona: Persona
    actions: Iterable[ActionSpec | Callable[..., Any]]

    def reset(self, seed: int) -> str | Observation:
        """Begin anew, as the seed has it; return what the character sees first."""

    def step(self, action: Action) -> tuple[str | Observation, float, bool]:
        """Carry an action out; return what the character sees then, its reward, and the end."""


class EnvironmentNotFoundError(ValueError):
    """There is no such environment; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class EnvironmentSource:
    """Where environments come from.

    Attributes:
        name: as `module:Class`.
        make: makes one.
        has_held_out: whether it can be made with held-out opponents.
    """

    name: str
    make: Callable[..., Environment]
    has_held_out: bool

    @classmethod
    def find(cls, name: str) -> EnvironmentSource:
        """Import `module:Class`, also from the working directory.

        Raises:
            EnvironmentNotFoundError: There is none.
        """
        module, colon, attribute = name.partition(":")
        if not colon or not attribute:
            raise EnvironmentNotFoundError(
                f"{name!r} is neither module:Class nor HOST:PORT of a runtime"
            )
        here = os.getcwd()
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            made: Any = importlib.import_module(module)
            for part in attribute.split("."):
                made = getattr(made, part)
        except (ImportError, AttributeError) as error:
            raise EnvironmentNotFoundError(f"{name}: {error}") from error
        if not callable(made):
            raise EnvironmentNotFoundError(f"{name} can't be called: name a class or a function")
        return cls(name, made, "held_out" in inspect.signature(made).parameters)

    def open(self, *, held_out: bool = False) -> Environment:
        """Make an environment.

        Raises:
            EnvironmentNotFoundError: What is made is none.
        """
        made = self.make(held_out=True) if held_out and self.has_held_out else self.make()
        if not isinstance(made, Environment):
            wanted = ("persona", "actions", "reset", "step")
            missing = ", ".join(each for each in wanted if not hasattr(made, each))
            raise EnvironmentNotFoundError(f"{self.name} makes what lacks {missing}")
        return made


def observed(value: str | Observation) -> Observation:
    """Return an observation; a text is what happens."""
    return Observation(value) if isinstance(value, str) else value
