"""One turn: what was said, and the answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

from townsfolk.client.errors import NotFoundError, TownsfolkError, from_event
from townsfolk.v1.dialogue_pb2 import SessionEvent, TranscriptEntry
from townsfolk.v1.sampling_pb2 import FinishReason, Usage

Interrupt = Callable[[str, int | None], Awaitable[object]]

LAST_EVENTS = ("turn_finished", "turn_interrupted", "error")


class AsyncTurn:
    """An answer under way: an async iterator of its text, piece by piece, that can be read once.

    After the iteration `text`, `finish_reason` and `usage` are set. A failed turn raises a
    `TownsfolkError` from the iteration, and `text` is what had come; the session lives on.
    """

    def __init__(self, turn_id: str, interrupt: Interrupt) -> None:
        """Made by `AsyncNpc.say`."""
        self.turn_id = turn_id
        self.text = ""
        self.finish_reason: FinishReason = FinishReason.FINISH_REASON_UNSPECIFIED
        self.usage = Usage()
        self.dropped: tuple[TranscriptEntry, ...] = ()
        """Lines that the character forgot before this turn, for its context was full."""
        self.expires_at: float | None = None
        """When the answer must end, on the event loop's clock."""
        self.expiry: asyncio.TimerHandle | None = None
        """What gives the turn up then."""
        self.is_over = False
        """Whether the turn's end has come; it may not have been read yet."""
        self._interrupt = interrupt
        self._events: asyncio.Queue[SessionEvent | TownsfolkError] = asyncio.Queue()
        self._was_read = False
        self._pieces: list[str] = []
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
        with suppress(NotFoundError):  # it failed, or is forgotten
            await self._interrupt(self.turn_id, heard_characters)

    async def wait(self) -> AsyncTurn:
        """Read the answer to its end; return this turn."""
        async for _ in self:
            pass
        return self

    async def events(self) -> AsyncIterator[SessionEvent]:
        """Yield every event of the turn instead of its text alone: sentences, tokens, trims."""
        while not self._was_read:
            yield await self._next_event()

    def __aiter__(self) -> AsyncTurn:
        return self

    async def __anext__(self) -> str:
        while not self._was_read:
            event = await self._next_event()
            if event.WhichOneof("event") == "text_delta" and event.text_delta.text:
                return event.text_delta.text
        raise StopAsyncIteration

    async def _next_event(self) -> SessionEvent:
        event = await self._events.get()
        if isinstance(event, TownsfolkError):
            self._give_up(event)
        match event.WhichOneof("event"):
            case "context_trimmed":
                self.dropped += tuple(event.context_trimmed.dropped)
            case "text_delta":
                self._pieces.append(event.text_delta.text)
            case "turn_finished":
                finished = event.turn_finished
                self.text, self.usage = finished.text, finished.usage
                self.finish_reason = finished.finish_reason
                self._shorten()
                self._was_read = True
            case "turn_interrupted":
                cut = event.turn_interrupted
                self.text, self.usage = cut.text, cut.usage
                self.finish_reason = FinishReason.FINISH_REASON_INTERRUPTED
                self._was_read = True
            case "error":
                self._give_up(from_event(event.error))
        return event

    def _give_up(self, error: TownsfolkError) -> NoReturn:
        self.text = "".join(self._pieces).strip()
        self._was_read = True
        raise error

    def cut(self, heard_characters: int) -> None:
        """Keep what was heard, though the answer may be whole; called by the session."""
        self._heard = heard_characters
        self._shorten()

    def deliver(self, event: SessionEvent | TownsfolkError) -> None:
        """Hand the reader one more event; called by the session. After the last, none is taken."""
        if self.is_over:
            return
        self._events.put_nowait(event)
        last = isinstance(event, TownsfolkError) or event.WhichOneof("event") in LAST_EVENTS
        if last:
            self.is_over = True
            if self.expiry is not None:
                self.expiry.cancel()

    def _shorten(self) -> None:
        if self._heard is not None and self._heard < len(self.text):
            self.text = self.text[: self._heard]
            self.finish_reason = FinishReason.FINISH_REASON_INTERRUPTED
