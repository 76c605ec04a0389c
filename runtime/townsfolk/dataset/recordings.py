"""From what a runtime recorded of play to dialogues to train on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from townsfolk.dialogue.actions import OURS
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.play import FORMAT
from townsfolk.dialogue.play_folder import SUFFIX
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.training.script import InvalidScriptError, Script


def read(folder: Path) -> list[Script]:
    """Return the dialogues of a folder that `serve --record-play` wrote.

    A conversation that was saved and gone on with is there once: one that is the beginning of
    another is left out. One in which the character acted gives a dialogue more for each action,
    which ends with it, so that acting is learned, too.

    Raises:
        InvalidScriptError: A file is none of those.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            values = json.loads(path.read_text("utf-8"))
            if not isinstance(values, dict) or values.get("format") != FORMAT:
                raise InvalidFieldError(f"format: must be {FORMAT}, as serve --record-play writes")
            found.append((_script(values), values["acts"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidScriptError(f"{path}: {error}") from None
    kept = [each for each in found if not any(_begins(each[0], other[0]) for other in found)]
    once = {json.dumps(script.to_json()): (script, acts) for script, acts in kept}
    return [each for script, acts in once.values() for each in (script, *_acting(script, acts))]


def _script(values: dict[str, Any]) -> Script:
    """Return the conversation; who acts, speaks under the character's own name."""
    fields = ("persona", "lore", "transcript", "actions")
    return Script.from_json({name: values[name] for name in fields})


def _begins(script: Script, other: Script) -> bool:
    """Whether a conversation is the beginning of another, longer one."""
    ours, theirs = (
        [(entry.kind, entry.speaker, entry.text) for entry in each.transcript]
        for each in (script, other)
    )
    same = script.persona == other.persona
    return same and len(ours) < len(theirs) and theirs[: len(ours)] == ours


def _acting(script: Script, acts: Iterable[dict[str, Any]]) -> Iterator[Script]:
    """Yield dialogues that end in an action, as a model writes it."""
    for act in acts:
        for at, entry in enumerate(script.transcript):
            is_its = entry.kind is EntryKind.SPOKE and entry.turn_id == act["turn_id"]
            if is_its and act["accepted"] and not entry.cut:
                call = json.dumps(
                    {"name": act["name"], OURS.arguments: act["arguments"]}, ensure_ascii=False
                )
                text = f"{entry.text}{OURS.opens}{call}{OURS.closes}"
                reply = entry.model_copy(update={"text": text})
                lines = (*script.transcript[:at], reply)
                yield Script(script.persona, script.lore, lines, script.actions)
