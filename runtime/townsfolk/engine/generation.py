"""The caller's handle of a request."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from townsfolk.engine.errors import UnreadLimitError
from townsfolk.engine.outputs import Completion, TextDelta, TokenInfo
from townsfolk.engine.unread import Unread, size

Event = TextDelta | tuple[TokenInfo, ...] | Completion | Exception
"""What the engine sends: more text; the echoed prompt; last, the completion or what went wrong."""


class Generation:
    """A request under way: iterate over it for the text as it comes, or await `result`.

    Whoever reads slowly gets more text at once: what nobody has read yet is joined, so that it
    never takes more room than the whole reply. When too much waits, the request fails with
    `UnreadLimitError`; see `Engine.unread`. A handle that nobody holds any more cancels its
    request. One task at a time may read.

    Attributes:
        prompt_tokens: with `echo`, the prompt; it is there before the first delta.
        completion: the whole reply, once it has ended well.
    """

    def __init__(
        self, cancel: Callable[[], None], set_priority: Callable[[int], None], unread: Unread
    ) -> None:
        """Made by `Engine.submit`, in the event loop where it is to be read."""
        self.prompt_tokens: tuple[TokenInfo, ...] = ()
        self.completion: Completion | None = None
        self._cancel = cancel
        self._set_priority = set_priority
        self._texts: list[str] = []
        self._tokens: list[TokenInfo] = []
        self._error: Exception | None = None
        self._unread: Unread | None = unread  # None where nobody is to read it piece by piece
        self._changed = asyncio.Event()

    def cancel(self) -> None:
        """End the reply where it is, with finish reason INTERRUPTED; may be called at any time."""
        self._cancel()

    def discard(self) -> None:
        """End the reply where it is, and let go of what was not read of it."""
        self.cancel()
        self._take()
        self._let_all_wait()

    def set_priority(self, priority: int) -> None:
        """Set the priority, -100 to 100; holds from the next step on."""
        self._set_priority(priority)

    async def result(self) -> Completion:
        """Wait for the whole reply; text that was not read yet is only in there.

        When the task that waits is cancelled, so is the request.

        Raises:
            EngineError: the request failed.
        """
        self._let_all_wait()
        try:
            while self.completion is None and self._error is None:
                self._changed.clear()
                await self._changed.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._take()
        if self._error is not None:
            raise self._error
        assert self.completion is not None
        return self.completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TextDelta:
        while True:
            if self._texts:
                return self._take()
            if self._error is not None:
                raise self._error
            if self.completion is not None:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    def receive(self, events: deque[Event]) -> None:
        """Take all that the engine has sent; called in the handle's event loop."""
        if self.completion is not None or self._error is not None:
            events.clear()  # it was told of the engine's failure before
        unread = 0
        while events:
            event = events.popleft()
            if isinstance(event, TextDelta):
                self._texts.append(event.text)
                self._tokens += event.tokens
                if self._unread is not None:
                    unread += size(event.text, event.tokens)
            elif isinstance(event, Completion):
                self.completion = event
            elif isinstance(event, tuple):
                self.prompt_tokens = event
            else:
                self._error = event
        if unread:
            self._count(unread)
        self._changed.set()

    def _count(self, unread: int) -> None:
        assert self._unread is not None
        try:
            self._unread.add(unread)
        except UnreadLimitError as error:
            self._take()
            self._error = error
            self.cancel()

    def _let_all_wait(self) -> None:
        if self._unread is not None:
            self._unread.clear()
            self._unread = None

    def _take(self) -> TextDelta:
        if self._unread is not None:
            self._unread.clear()
        delta = TextDelta("".join(self._texts), tuple(self._tokens))
        self._texts, self._tokens = [], []
        return delta
