"""Conversations that were played, kept to train on where whoever runs the runtime asks for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from townsfolk.dialogue.actions import ActionCall, Outcome
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.limits import MAX_ENTRIES, MAX_HISTORY_BYTES
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry, size_of

FORMAT = 1
"""Of the files; a reader refuses another."""


class End(Enum):
    """How a conversation ended."""

    CLOSED = "closed"
    """The game ended it."""
    IDLE = "idle"
    """Nobody spoke any more."""
    STOPPED = "stopped"
    """The runtime ended."""


@dataclass(slots=True)
class PlayLog:
    """What a transcript alone does not tell of a conversation.

    Attributes:
        lore: what the character knows, in full, as it was when the session was opened.
        forgotten: lines that outgrew the context, oldest first.
        lost: how many lines before them are kept nowhere, as they outgrew this, too.
        acts: the actions that were taken, the last `MAX_ENTRIES` of them.
        failed: ids of turns that failed, the last as many; what they said stands as cut.
    """

    lore: tuple[str, ...] = ()
    forgotten: deque[TranscriptEntry] = field(default_factory=deque)
    lost: int = 0
    acts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    failed: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    _bytes: int = 0

    def forget(self, entries: Iterable[TranscriptEntry]) -> None:
        """Keep lines that the character does not remember any more."""
        for entry in entries:
            self.forgotten.append(entry)
            self._bytes += size_of(entry)
        while self._bytes > MAX_HISTORY_BYTES:
            self._bytes -= size_of(self.forgotten.popleft())
            self.lost += 1

    def act(self, turn_id: str, call: ActionCall, outcome: Outcome) -> None:
        """Note an action, and what the game made of it."""
        self.acts.append(
            {
                "turn_id": turn_id,
                "name": call.name,
                "arguments": dict(call.arguments),
                "accepted": outcome.is_accepted,
            }
        )


@dataclass(frozen=True, slots=True)
class Played:
    """A conversation that has ended.

    Attributes:
        config: the session as it was at the end, with what the character remembered.
        log: what that lacks.
        model: what spoke.
        end: how it ended.
    """

    config: SessionConfig
    log: PlayLog
    model: str
    end: End

    @property
    def has_spoken(self) -> bool:
        """Whether there is anything to learn from."""
        return any(entry.kind is EntryKind.SPOKE and entry.text for entry in self._lines)

    @property
    def _lines(self) -> tuple[TranscriptEntry, ...]:
        return (*self.log.forgotten, *self.config.history)

    def to_json(self) -> dict[str, Any]:
        """Return the conversation without what tells who played it: no ids of the game's, no times.

        Turns are numbered. Names stand where they were said, and as those who spoke.
        """
        lines, config = self._lines, self.config
        turns = [*(entry.turn_id for entry in lines), *(act["turn_id"] for act in self.log.acts)]
        seen = dict.fromkeys(each for each in (*turns, *self.log.failed) if each)
        numbers = {turn_id: str(number) for number, turn_id in enumerate(seen, 1)} | {"": ""}
        return {
            "format": FORMAT,
            "model": self.model,
            "adapter": config.adapter,
            "ended": self.end.value,
            "persona": config.persona.model_dump(mode="json", exclude_defaults=True),
            "lore": [*self.log.lore],
            "actions": [
                each.model_dump(mode="json", exclude_defaults=True) for each in config.actions
            ],
            "lost": self.log.lost,
            "transcript": [
                entry.model_copy(update={"turn_id": numbers[entry.turn_id]}).model_dump(
                    mode="json", exclude_defaults=True
                )
                for entry in lines
            ],
            "acts": [act | {"turn_id": numbers[act["turn_id"]]} for act in self.log.acts],
            "failed": [numbers[each] for each in self.log.failed],
        }
