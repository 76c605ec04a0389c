"""What a model learns from: conversations with a character, or plain text, one JSON object a line.

A conversation::

    {"persona": {"name": "Mira", "description": "The innkeeper of the Salted Herring."},
     "lore": ["Port Merrow lies by the sea."],
     "transcript": [{"kind": "heard", "speaker": "Player", "text": "Hello!"},
                    {"kind": "spoke", "text": "Welcome to the Salted Herring."},
                    {"kind": "event", "text": "It begins to rain."}]}

``persona``, ``transcript`` and ``actions``, what the character can do, take the fields of the
runtime's own types. A reply with
``"cut": true`` was interrupted; it is context and never learned. Plain text is ``{"text": "..."}``.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from townsfolk.dialogue.actions import Action, ActionBook
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.prompt import Message, messages, system_text
from townsfolk.dialogue.transcript import TranscriptEntry
from townsfolk.text.utf8 import read_text

Part = TypeVar("Part", bound=Outside)


_DONE = re.compile(r"\[[^\n]*: \w+\([^\n]*\) is (?:not )?done")


class InvalidScriptError(ValueError):
    """A line of a training file can't be used; the message gives file, line and reason."""


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation to learn from."""

    persona: Persona
    lore: tuple[str, ...]
    transcript: tuple[TranscriptEntry, ...]
    actions: tuple[Action, ...] = ()
    """What the character can do; a reply that does stands as the model writes it."""

    def messages(self) -> list[Message]:
        """Return the conversation as the runtime shows it to the model."""
        acts = ActionBook(self.actions, None).text
        system = "\n\n".join(filter(None, [system_text(self.persona, self.lore), acts]))
        return messages(system, self.transcript)

    def to_json(self) -> dict[str, Any]:
        """Return the script as one JSON object."""
        values: dict[str, Any] = {
            "persona": self.persona.model_dump(mode="json", exclude_defaults=True),
            "lore": list(self.lore),
            "transcript": [
                entry.model_dump(mode="json", exclude_defaults=True) for entry in self.transcript
            ],
        }
        if self.actions:
            values["actions"] = [
                each.model_dump(mode="json", exclude_defaults=True) for each in self.actions
            ]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Script":
        """Return the script of a JSON object; raise InvalidFieldError naming the field."""
        needs = (
            'needs "persona", "transcript" with at least one entry, and optionally "lore" and '
            '"actions"'
        )
        if unknown := values.keys() - {"persona", "lore", "transcript", "actions"}:
            raise InvalidFieldError(f"{min(unknown)}: there is no such field; a dialogue {needs}")
        if "persona" not in values or not values.get("transcript"):
            absent = "persona" if "persona" not in values else "transcript"
            raise InvalidFieldError(f"{absent}: is missing; a dialogue {needs}")
        lore = values.get("lore", [])
        if not isinstance(lore, list) or not all(isinstance(text, str) for text in lore):
            raise InvalidFieldError("lore: must be a list of texts")
        if not isinstance(values["persona"], dict):
            raise InvalidFieldError("persona: must be an object")
        entries = _listed("transcript", TranscriptEntry, values["transcript"])
        actions = _listed("actions", Action, values.get("actions", []))
        return cls(_within("persona", Persona, values["persona"]), tuple(lore), entries, actions)


def has_acted(messages: Sequence[Message], at: int) -> bool:
    """Return whether the reply with this number acted, and stands without its action.

    What came of an action is the next line. Such a reply is context: who learns it learns to say
    that something is done, and to end there.
    """
    after = messages[at + 1]["content"] if at + 1 < len(messages) else ""
    return _DONE.match(after) is not None


def _listed(place: str, kind: type[Part], values: Any) -> tuple[Part, ...]:
    """Build the parts of a list, whose places errors name."""
    if not isinstance(values, list):
        raise InvalidFieldError(f"{place}: must be a list of objects")
    for number, each in enumerate(values):
        if not isinstance(each, dict):
            raise InvalidFieldError(f"{place}[{number}]: must be an object")
    return tuple(_within(f"{place}[{number}]", kind, each) for number, each in enumerate(values))


def _within(place: str, kind: type[Part], values: dict[str, Any]) -> Part:
    """Build a part of a script, whose place its errors name."""
    try:
        return kind.checked(**values)
    except InvalidFieldError as error:
        raise InvalidFieldError(f"{place}.{error}") from None


def read(paths: Iterable[Path]) -> list[Script | str]:
    """Return all scripts and texts of the files; raise ValueError, mostly InvalidScriptError."""
    found: list[Script | str] = []
    for path in paths:
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if line.strip():
                try:
                    values = json.loads(line)
                    if not isinstance(values, dict):
                        raise InvalidFieldError("must be a JSON object")
                    text = values.get("text")
                    found.append(text if isinstance(text, str) else Script.from_json(values))
                except (ValueError, TypeError) as error:
                    raise InvalidScriptError(f"{path}, line {number}: {error}") from error
    if not found:
        raise InvalidScriptError("the training files hold nothing to learn from")
    return found
