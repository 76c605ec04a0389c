"""One turn: what was said, and the answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from townsfolk.client.errors import TownsfolkError, from_event
from townsfolk.v1.dialogue_pb2 import SessionEvent, TranscriptEntry
from townsfolk.v1.sampling_pb2 import FinishReason, Usage

Interrupt = Callable[[str, int | None], Awaitable[None]]


class AsyncTurn:
    """An answer under way: an async iterator of its text, piece by piece, that can be read once.

    After the iteration `text`, `finish_reason` and `usage` are set. A failed turn raises a
    `TownsfolkError` from the iteration; the session lives on.
    """

    def __init__(self, turn_id: str, interrupt: Interrupt) -> None:
        """Made by `AsyncNpc.say`."""
        self.turn_id = turn_id
        self.text = ""
        self.finish_reason: FinishReason = FinishReason.FINISH_REASON_UNSPECIFIED
        self.usage = Usage()
        self.dropped: tuple[TranscriptEntry, ...] = ()
        self._interrupt = interrupt
        self._events: asyncio.Queue[SessionEvent | TownsfolkError] = asyncio.Queue()
        self._over = False
        self._heard: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the answer was cut off; `text` is what the character remembers saying."""
        return self.finish_reason == FinishReason.FINISH_REASON_INTERRUPTED

    async def interrupt(self, heard_characters: int | None = None) -> None:
        """Cut the answer off; go on iterating to see it end.

        Args:
            heard_characters: How much of the answer was shown or heard, in Unicode code points: the
                character remembers exactly that much. None: all that was generated.
        """
        self._heard = heard_characters
        await self._interrupt(self.turn_id, heard_characters)

    async def wait(self) -> AsyncTurn:
        """Read the answer to its end; return this turn."""
        async for _ in self:
            pass
        return self

    async def events(self) -> AsyncIterator[SessionEvent]:
        """Yield every event of the turn instead of its text alone: sentences, tokens, trims."""
        while not self._over:
            yield await self._next_event()

    def __aiter__(self) -> AsyncTurn:
        return self

    async def __anext__(self) -> str:
        while not self._over:
            event = await self._next_event()
            if event.WhichOneof("event") == "text_delta" and event.text_delta.text:
                return event.text_delta.text
        raise StopAsyncIteration

    async def _next_event(self) -> SessionEvent:
        event = await self._events.get()
        if isinstance(event, TownsfolkError):
            self._over = True
            raise event
        match event.WhichOneof("event"):
            case "context_trimmed":
                self.dropped += tuple(event.context_trimmed.dropped)
            case "turn_finished":
                finished = event.turn_finished
                self.text, self.usage = finished.text, finished.usage
                self.finish_reason = finished.finish_reason
                if self._heard is not None and self._heard < len(self.text):
                    # The answer was whole before the interrupt arrived; it is cut all the same.
                    self.text = self.text[: self._heard]
                    self.finish_reason = FinishReason.FINISH_REASON_INTERRUPTED
                self._over = True
            case "turn_interrupted":
                cut = event.turn_interrupted
                self.text, self.usage = cut.text, cut.usage
                self.finish_reason = FinishReason.FINISH_REASON_INTERRUPTED
                self._over = True
            case "error":
                self._over = True
                raise from_event(event.error)
        return event

    def deliver(self, event: SessionEvent | TownsfolkError) -> None:
        """Hand the reader one more event; called by the session's stream."""
        self._events.put_nowait(event)
