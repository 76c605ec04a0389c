"""From dialogues of any source to a data set: filtered, split by character, described."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from townsfolk.checkpoint.replacing import replace_file
from townsfolk.dataset import filters, recordings
from townsfolk.dialogue.actions import OURS
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.training.held_out import hold_out
from townsfolk.training.script import InvalidScriptError, Script
from townsfolk.training.script import read as read_scripts

TRAIN, HELD_OUT, CARD = "train.jsonl", "held-out.jsonl", "README.md"


@dataclass(frozen=True, slots=True)
class Source:
    """Where dialogues come from.

    Attributes:
        path: a file of dialogues, what `corpus teach` wrote, or a folder of recorded play.
        kind: which of these, in words.
        scripts: the dialogues.
        about: what is known of how they were made.
    """

    path: Path
    kind: str
    scripts: Sequence[Script]
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a file or a folder.

        Raises:
            ValueError: It can't be used; the message names it.
        """
        if path.is_dir() and (path / "about.json").exists():
            if not (path / "dialogues.jsonl").exists():
                raise ValueError(f"{path}: the teacher has not ended: corpus teach --resume")
            about = json.loads((path / "about.json").read_text("utf-8"))
            return cls(path, "a teacher", _read(path / "dialogues.jsonl"), about)
        if path.is_dir():
            scripts = recordings.read(path)
            if not scripts:
                raise ValueError(f"{path}: there is no recorded play in it")
            return cls(path, "recorded play", scripts)
        return cls(path, "authored", _read(path))


def _read(path: Path) -> list[Script]:
    found = read_scripts([path])
    if texts := sum(isinstance(each, str) for each in found):
        raise InvalidScriptError(f"{path}: has {texts} plain texts, which no character says")
    return [each for each in found if isinstance(each, Script)]


@dataclass(slots=True)
class Tally:
    """What became of a source's dialogues.

    Attributes:
        read: how many there were.
        kept: how many of them, or of their beginnings, are in the data.
        replies: of characters, in those.
        faults: why others were dropped or cut short.
    """

    read: int = 0
    kept: int = 0
    replies: int = 0
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class DataSet:
    """Dialogues to learn from, and others with characters who are in none of them.

    Attributes:
        train: to learn from.
        held_out: to measure on.
        tallies: of the sources.
    """

    train: Sequence[Script]
    held_out: Sequence[Script]
    tallies: Sequence[tuple[Source, Tally]]

    def write(self, folder: Path, licences: Sequence[str], seed: int, share: float) -> None:
        """Write both parts and the card."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, scripts in ((TRAIN, self.train), (HELD_OUT, self.held_out)):
            lines = (json.dumps(each.to_json(), ensure_ascii=False) + "\n" for each in scripts)
            _write(folder / name, "".join(lines))
        _write(folder / CARD, card(self, folder.resolve().name, licences, seed, share))


def gather(sources: Sequence[Source], share: float, seed: int) -> DataSet:
    """Filter dialogues, keep each once, and hold whole characters out.

    Args:
        sources: Where they come from; of two that are alike the first is kept.
        share: How much is held out, of whole characters.
        seed: Of the choice of characters.
    """
    seen: set[tuple[str, ...]] = set()
    kept: list[Script] = []
    tallies = []
    for source in sources:
        tally = Tally()
        for script in source.scripts:
            tally.read += 1
            sound, fault = filters.sound(_without_acts(script))
            if fault is not None:
                tally.faults[fault] += 1
            elif _acts(script):
                sound = script
            if sound is None:
                continue
            key = _key(sound)
            if key in seen:
                tally.faults[filters.DUPLICATE] += 1
                continue
            seen.add(key)
            kept.append(sound)
            tally.kept += 1
            tally.replies += sum(1 for _ in filters.replies(sound))
        tallies.append((source, tally))
    train, held = _divided(kept, share, seed)
    return DataSet(train, held, tallies)


def _divided(
    scripts: Sequence[Script], share: float, seed: int
) -> tuple[list[Script], list[Script]]:
    """Hold whole characters out; nobody where there is only one."""
    if len({each.persona.name for each in scripts}) < 2:
        return [*scripts], []
    train, held = hold_out(scripts, share, seed)
    ours = [each for each in train if isinstance(each, Script)]
    theirs = [each for each in held if isinstance(each, Script)]
    if {each.persona.name for each in ours} & {each.persona.name for each in theirs}:
        return [*scripts], []  # no character is small enough
    return ours, theirs


def _key(script: Script) -> tuple[str, ...]:
    """What makes dialogues the same: who says which words; not who plays, and no signs."""
    return (script.persona.name, *(filters.plain(entry.text) for entry in script.transcript))


def _acts(script: Script) -> bool:
    return any(OURS.opens in entry.text for entry in script.transcript)


def _without_acts(script: Script) -> Script:
    """Return the dialogue with what is said alone: filters judge speech."""
    entries = tuple(
        entry.model_copy(update={"text": entry.text.split(OURS.opens)[0].strip() or "\u2026"})
        if entry.kind is EntryKind.SPOKE and OURS.opens in entry.text
        else entry
        for entry in script.transcript
    )
    return Script(script.persona, script.lore, entries, script.actions)


def card(data: DataSet, name: str, licences: Sequence[str], seed: int, share: float) -> str:
    """Return the description of a data set, in Markdown."""
    lines = [
        f"# {name}: dialogues with characters",
        "",
        "Made by `townsfolk corpus gather`; to be learned from with "
        f"`townsfolk train lora --data {TRAIN} --validation {HELD_OUT}`.",
        "",
        "| part | dialogues | characters | their replies |",
        "|---|---|---|---|",
    ]
    for file, scripts in ((TRAIN, data.train), (HELD_OUT, data.held_out)):
        people = {each.persona.name for each in scripts}
        replies = sum(1 for each in scripts for _ in filters.replies(each))
        lines.append(f"| `{file}` | {len(scripts)} | {len(people)} | {replies} |")
    lines += [
        "",
        f"No character is in both parts (seed {seed}, {share:.0%} asked for, of whole characters). "
        + ("" if data.held_out else "**Nothing is held out**: there are too few characters. ")
        + "Held out: "
        + (", ".join(sorted({each.persona.name for each in data.held_out})) or "nobody")
        + ".",
        "",
        "## Licence",
        "",
        *([f"- {each}" for each in licences] or ["Not stated."]),
        *(
            f"- cast of `{source.path.name}`: {source.about['licence']}"
            for source, _ in data.tallies
            if source.about.get("licence")
        ),
        "",
        "What a model wrote may be bound by that model's licence.",
        "",
        "## Sources",
    ]
    for source, tally in data.tallies:
        lines += ["", f"### `{source.path.name}`: {source.kind}", ""]
        lines.append(f"{tally.read} dialogues, {tally.kept} kept, {tally.replies} replies.")
        lines += _told(source)
        if tally.faults:
            lines += ["", "| dropped, or ended before the reply that | |", "|---|---|"]
            lines += [f"| {reason} | {count} |" for reason, count in tally.faults.most_common()]
    return "\n".join(lines) + "\n"


def _told(source: Source) -> list[str]:
    """What a card says of how a source was made."""
    about = dict(source.about)
    early = about.pop("dropped or cut short", {})
    if not about:
        return []
    lines = ["", "| | |", "|---|---|"]
    lines += [f"| {name} | {'' if value is None else value} |" for name, value in about.items()]
    if early:
        lines += ["", "| dropped, or ended early, while it was played: the reply | |", "|---|---|"]
        lines += [f"| {reason} | {count} |" for reason, count in early.items()]
    return lines


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda name: Path(name).write_text(text, "utf-8"))
