"""The turns of a character that were said and are not over, and the time that each has."""

from __future__ import annotations

import asyncio

from townsfolk.client.errors import DeadlineExceededError, TownsfolkError
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1.dialogue_pb2 import SessionEvent, Utterance

# After the deadline, what the runtime gets to say so itself before the turn is given up here.
DEADLINE_GRACE_S = 1.0


class OpenTurns:
    """Delivers to turns what the runtime says of them, and gives up those whose time is over."""

    def __init__(self) -> None:
        """Know no turn."""
        self._turns: dict[str, AsyncTurn] = {}
        self._last: AsyncTurn | None = None  # the newest that is over

    def start_clock(self, turn: AsyncTurn, said: Utterance) -> None:
        """Begin to count the time that a turn has, if it has a deadline; it need not be said."""
        if said.deadline_ms:
            loop = asyncio.get_running_loop()
            turn.expires_at = loop.time() + said.deadline_ms / 1000
            turn.expiry = loop.call_at(turn.expires_at, self._expire, turn)

    def add(self, turn: AsyncTurn) -> None:
        """Take a turn that is being said."""
        self._turns[turn.turn_id] = turn

    def follow(self, kind: str, turn_id: str, event: SessionEvent) -> None:
        """Tell a turn of an event of it."""
        turn = self._turns.get(turn_id)
        if turn is None:
            return
        if kind in ("turn_finished", "turn_interrupted", "error"):
            self._last = self._turns.pop(turn_id)
        turn.deliver(event)

    def cut(self, turn_id: str, heard_characters: int) -> None:
        """Shorten a turn, which may be the newest that is over, to what was heard of it."""
        turn = self._turns.get(turn_id, self._last)
        if turn is not None and turn.turn_id == turn_id:
            turn.cut(heard_characters)

    def fail(self, turn: AsyncTurn, error: TownsfolkError) -> None:
        """End a turn with an error."""
        self._turns.pop(turn.turn_id, None)
        turn.deliver(error)

    def lose(self, reason: TownsfolkError) -> None:
        """Fail all turns: their answers won't come."""
        for turn in self._turns.values():
            turn.deliver(reason)
        self._turns.clear()

    def _expire(self, turn: AsyncTurn) -> None:
        """Give a turn up whose time is over and whose end does not come."""
        loop = asyncio.get_running_loop()
        assert turn.expires_at is not None
        give_up = turn.expires_at + (DEADLINE_GRACE_S if turn.turn_id in self._turns else 0)
        if loop.time() < give_up:
            turn.expiry = loop.call_at(give_up, self._expire, turn)
        else:
            self.fail(turn, DeadlineExceededError("no answer before the deadline"))
