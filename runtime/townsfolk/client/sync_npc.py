"""A character and its answers for ordinary code: each object drives its asyncio twin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Unpack

from townsfolk.client.choice import Choice, ChoiceOptions
from townsfolk.client.npc import AsyncNpc
from townsfolk.client.options import TurnOptions
from townsfolk.client.portal import Portal, call_in_loop
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1.dialogue_pb2 import SessionConfig, SessionEvent, TranscriptEntry
from townsfolk.v1.sampling_pb2 import FinishReason, Usage


class Turn:
    """An answer under way: an iterator of its text, piece by piece, that can be read once.

    After the iteration `text`, `finish_reason` and `usage` are set. A failed turn raises a
    `TownsfolkError` from the iteration, and `text` is what had come; the session lives on.
    """

    def __init__(self, portal: Portal, turn: AsyncTurn) -> None:
        """Made by `Npc.say`."""
        self._portal = portal
        self._turn = turn

    @property
    def turn_id(self) -> str:
        """The turn's id."""
        return self._turn.turn_id

    @property
    def text(self) -> str:
        """The whole answer, once it is over."""
        return self._turn.text

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, once it is over."""
        return self._turn.finish_reason

    @property
    def dropped(self) -> tuple[TranscriptEntry, ...]:
        """Lines that the character forgot before this turn, for its context was full."""
        return self._turn.dropped

    @property
    def usage(self) -> Usage:
        """What the answer cost, once it is over."""
        return self._turn.usage

    @property
    def interrupted(self) -> bool:
        """Whether the answer was cut off; `text` is what the character remembers saying."""
        return self._turn.interrupted

    def interrupt(self, heard_characters: int | None = None) -> None:
        """Cut the answer off; see `AsyncTurn.interrupt`."""
        self._portal.run(self._turn.interrupt(heard_characters))

    def wait(self) -> Turn:
        """Read the answer to its end; return this turn."""
        self._portal.run(self._turn.wait())
        return self

    def events(self) -> Iterator[SessionEvent]:
        """Yield every event of the turn instead of its text alone: sentences, tokens, trims."""
        return self._portal.iterate(self._turn.events())

    def __iter__(self) -> Iterator[str]:
        return self._portal.iterate(self._turn)


class Npc:
    """A character to talk to; see `AsyncNpc`."""

    def __init__(self, portal: Portal, npc: AsyncNpc) -> None:
        """Made by `Runtime.npc`."""
        self._portal = portal
        self._npc = npc

    @property
    def session_id(self) -> str:
        """The session's id; empty until it is open, unless one was chosen."""
        return self._npc.session_id

    @property
    def transcript(self) -> list[TranscriptEntry]:
        """The lines that the character remembers, as `history` of another session takes them."""
        return list(self._npc.transcript.entries)

    def open(self) -> Npc:
        """Open the session now instead of with the first use; return this object."""
        self._portal.run(self._npc.open())
        return self

    def say(self, text: str, speaker: str = "", **options: Unpack[TurnOptions]) -> Turn:
        """Say something to the character; iterate over the returned turn for the answer."""
        say = call_in_loop(self._npc.say, text, speaker, **options)
        return Turn(self._portal, self._portal.run(say))

    def greet(self, **options: Unpack[TurnOptions]) -> Turn:
        """Have the character speak of its own accord: first, or again; see `AsyncNpc.greet`."""
        return Turn(self._portal, self._portal.run(call_in_loop(self._npc.greet, **options)))

    def react(self, event: str, **options: Unpack[TurnOptions]) -> Turn:
        """Have the character say something to what happens; see `AsyncNpc.react`."""
        return Turn(self._portal, self._portal.run(call_in_loop(self._npc.react, event, **options)))

    def record(self, *lines: str | TranscriptEntry) -> None:
        """Have the character remember lines of the game's script; see `AsyncNpc.record`."""
        self._portal.run(self._npc.record(*lines))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the character busy: what it is to answer waits; see `AsyncNpc.busy`."""
        busy = self._npc.busy()
        self._portal.run(call_in_loop(busy.__enter__))
        try:
            yield
        finally:
            self._portal.run(call_in_loop(busy.__exit__, None, None, None))

    @property
    def is_busy(self) -> bool:
        """Whether anybody keeps it busy; see `busy`."""
        return self._npc.is_busy

    def save(self) -> SessionConfig:
        """Return what a saved game keeps of the character; see `AsyncNpc.save`."""
        saved: SessionConfig = self._portal.run(call_in_loop(self._npc.save))
        return saved

    def restore(self, history: Iterable[TranscriptEntry]) -> None:
        """Go on from the history of a saved game; see `AsyncNpc.restore`."""
        self._portal.run(self._npc.restore(history))

    def accept(self, action_id: str, result: str = "") -> None:
        """Say that an action is done; see `AsyncNpc.accept`."""
        self._portal.run(self._npc.accept(action_id, result))

    def reject(self, action_id: str, reason: str = "") -> None:
        """Say that an action is not done, and why; see `AsyncNpc.reject`."""
        self._portal.run(self._npc.reject(action_id, reason))

    def choose(
        self,
        options: Iterable[str],
        text: str = "",
        speaker: str = "",
        *,
        remember: bool = False,
        **how: Unpack[ChoiceOptions],
    ) -> Choice:
        """Have the character choose among texts of yours; see `AsyncNpc.choose`."""
        choice = self._npc.choose(options, text, speaker, remember=remember, **how)
        return self._portal.run(choice)

    def notify(self, event: str) -> None:
        """Let the character learn of an event in the world, without an answer."""
        self._portal.run(self._npc.notify(event))

    def interrupt(self, turn_id: str = "", heard_characters: int | None = None) -> tuple[str, ...]:
        """Cut off a turn, or the current one and all that wait; see `AsyncNpc.interrupt`."""
        return self._portal.run(self._npc.interrupt(turn_id, heard_characters))

    def set_priority(self, priority: int) -> None:
        """Change the session's priority, -100 to 100."""
        self._portal.run(self._npc.set_priority(priority))

    def disconnect(self) -> None:
        """Leave the session; it waits in the runtime, and the next use comes back to it."""
        self._portal.run(self._npc.disconnect())

    def close(self) -> None:
        """End the session and forget it in the runtime; see `AsyncNpc.close`."""
        self._portal.run(self._npc.close())

    def __enter__(self) -> Npc:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
