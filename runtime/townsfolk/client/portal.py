"""The way from ordinary code into an event loop in the background."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

from townsfolk.client.connection import NOT_CONNECTED
from townsfolk.client.errors import RuntimeUnavailableError

T = TypeVar("T")


class Portal:
    """An event loop in a thread of its own, and the way into it."""

    def __init__(self) -> None:
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._end = asyncio.Event()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run_loop, name="townsfolk-client", daemon=True)
        self._thread.start()

    def _run_loop(self) -> None:
        # At its end a runner cancels the tasks that are left, and waits for them.
        with asyncio.Runner() as runner:
            self._ready.set_result(runner.get_loop())
            runner.run(self._wait())

    async def _wait(self) -> None:
        await self._end.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return its result; cancel it when the wait is broken off.

        Raises:
            RuntimeUnavailableError: The portal is closed.
        """
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise RuntimeUnavailableError(NOT_CONNECTED)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._ready.result())
        try:
            return future.result()
        except CancelledError:  # by `close`, in another thread
            raise RuntimeUnavailableError("the connection was closed") from None
        except BaseException:  # KeyboardInterrupt: the coroutine must not swallow the next item
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an async iterator yields."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if hasattr(items, "aclose"):
                with suppress(RuntimeUnavailableError):
                    self.run(items.aclose())

    def close(self) -> None:
        """End the loop and its thread."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._ready.result().call_soon_threadsafe(self._end.set)
        self._thread.join()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def call_in_loop(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call a function that must be called where a loop runs."""
    return function(*arguments, **options)
