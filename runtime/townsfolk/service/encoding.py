"""Texts are encoded beside the event loop, and long ones apart from short ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# A megabyte takes a second and 150 MB. What is longer than this waits for its like.
LONG_CHARACTERS = 64 * 1024


class EncodingThreads:
    """Threads in which texts are encoded.

    Long texts go one after the other through a thread of their own, so that short ones need not
    wait for them and not many are in memory at once. A text whose caller is cancelled while it
    waits is not encoded.
    """

    def __init__(self) -> None:
        """Start no thread yet."""
        self._long = ThreadPoolExecutor(1, thread_name_prefix="townsfolk-encode-long")
        self._short = ThreadPoolExecutor(2, thread_name_prefix="townsfolk-encode")

    async def run(
        self, characters: int, encode: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call `encode` in a thread; return what it returns.

        Args:
            characters: How long the texts are that it encodes.
            encode: What to call.
            args: Its arguments.
            kwargs: Its arguments by name.
        """
        threads = self._long if characters > LONG_CHARACTERS else self._short
        return await asyncio.wrap_future(threads.submit(encode, *args, **kwargs))

    def close(self) -> None:
        """Begin no more; what runs comes to its end."""
        self._long.shutdown(wait=False, cancel_futures=True)
        self._short.shutdown(wait=False, cancel_futures=True)
