"""What a teacher has played so far, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from townsfolk.checkpoint.replacing import replace_file
from townsfolk.dataset.teacher import Task, Taught
from townsfolk.training.script import Script


class JournalError(ValueError):
    """A folder can't be used; the message says what to do."""


class Journal:
    """A folder with `about.json`, `journal.jsonl` and, at the end, `dialogues.jsonl`."""

    def __init__(self, folder: Path, about: Mapping[str, Any], *, resume: bool) -> None:
        """Begin a run in a folder, or go on with the one that is there.

        Raises:
            JournalError: There is one already, or none, or it was begun otherwise.
        """
        self._folder, self._path = folder, folder / "journal.jsonl"
        self.outcomes: list[Taught] = []
        described = folder / "about.json"
        if resume:
            self._check(described, about)
            self.outcomes = [*self._read()]
        elif self._path.exists():
            raise JournalError(
                f"{folder} holds a run already: go on with it by --resume, or name another folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._about = dict(about)
        self._write(described, json.dumps(self._about, indent=2, ensure_ascii=False) + "\n")
        # What a crash left half of a line is left out.
        lines = (json.dumps(each.to_json(), ensure_ascii=False) + "\n" for each in self.outcomes)
        self._write(self._path, "".join(lines))

    @property
    def done(self) -> set[Task]:
        """What needs not be played again."""
        return {each.task for each in self.outcomes}

    def add(self, outcome: Taught) -> None:
        """Note what came of a dialogue."""
        self.outcomes.append(outcome)
        with self._path.open("a", encoding="utf-8") as file:
            print(json.dumps(outcome.to_json(), ensure_ascii=False), file=file)

    def finish(self, tallies: Mapping[str, Any]) -> int:
        """Write what was kept, in an order that does not depend on who was done first.

        Returns:
            how many dialogues.
        """
        ordered = sorted(self.outcomes, key=lambda each: (each.task.character, each.task.number))
        kept = [each.script for each in ordered if each.script is not None]
        text = "".join(json.dumps(each.to_json(), ensure_ascii=False) + "\n" for each in kept)
        self._write(self._folder / "dialogues.jsonl", text)
        told = {**self._about, "tried": len(ordered), "dropped or cut short": dict(tallies)}
        self._write(
            self._folder / "about.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        )
        return len(kept)

    def _check(self, path: Path, about: Mapping[str, Any]) -> None:
        try:
            begun = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise JournalError(f"there is no run to go on with in {path.parent}: {error}") from None
        # More dialogues, or another build of the runtime, are no other run.
        differ = [
            name
            for name in about
            if name not in ("count", "runtime") and begun.get(name) != about[name]
        ]
        if differ:
            listed = ", ".join(f"{name} {begun.get(name)} (now {about[name]})" for name in differ)
            raise JournalError(f"{path.parent} was begun otherwise, with {listed}")

    def _read(self) -> Sequence[Taught]:
        found = []
        for line in self._path.read_text("utf-8").splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                break  # the last one, half written
            dialogue = values["dialogue"]
            found.append(
                Taught(
                    Task(values["character"], values["number"]),
                    None if dialogue is None else Script.from_json(dialogue),
                    values["fault"],
                    values["rejected"],
                )
            )
        return found

    def _write(self, path: Path, text: str) -> None:
        replace_file(path, lambda name: Path(name).write_text(text, "utf-8"))
