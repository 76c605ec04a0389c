"""The turns of a session: one is answered, the others wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from townsfolk.dialogue.events import NO_USAGE, TurnFailed, TurnInterrupted
from townsfolk.dialogue.turn import Turn
from townsfolk.engine.errors import DeadlineExceededError


class TurnQueue:
    """Has turns answered one after the other, in a task that is there while any are.

    Attributes:
        name: what it is called, in logs and of its task.
        current: the turn that is being answered; None when none is.
        waiting: those behind it.
    """

    def __init__(self, name: str, answer: Callable[[Turn], Awaitable[None]]) -> None:
        """Be empty.

        Args:
            name: What it is called.
            answer: Answers a turn; never raises.
        """
        self.current: Turn | None = None
        self.waiting: deque[Turn] = deque()
        self.name = name
        self._answer = answer
        self._driver: asyncio.Task[None] | None = None

    @property
    def live(self) -> list[Turn]:
        """All turns that are not over, in order."""
        return [turn for turn in (self.current, *self.waiting) if turn is not None]

    @property
    def speakers(self) -> set[str]:
        """Who speaks in the turns that wait."""
        return {turn.utterance.speaker for turn in self.waiting}

    def add(self, turn: Turn) -> None:
        """Have a turn answered behind the others."""
        self.waiting.append(turn)
        if self._driver is None:
            loop = asyncio.get_running_loop()
            self._driver = loop.create_task(self._run(), name=self.name)

    async def join(self) -> None:
        """Wait until no turn is left; giving up the wait leaves the turns alone."""
        if self._driver is not None:
            await asyncio.shield(self._driver)

    def cut(self, turn: Turn) -> None:
        """End a turn that is not over yet."""
        if turn in self.waiting:
            self.waiting.remove(turn)
            turn.send(TurnInterrupted(turn.id, "", NO_USAGE))
        elif not turn.is_over:
            turn.interrupted = True
            turn.answer_action("", None)
            if turn.generation is not None:
                turn.generation.cancel()

    def expire(self, turn: Turn) -> None:
        """End a turn whose deadline passes while it waits; the engine ends the others."""
        if turn in self.waiting:
            self.waiting.remove(turn)
            turn.send(TurnFailed(turn.id, DeadlineExceededError()))

    async def _run(self) -> None:
        """Answer the turns that wait."""
        while self.waiting:
            self.current = self.waiting.popleft()
            try:
                await self._answer(self.current)
            finally:
                self.current = None
        self._driver = None
