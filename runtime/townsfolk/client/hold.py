"""A character that is busy: what is said to it waits."""

from __future__ import annotations

import asyncio


class Hold:
    """Counts who keeps a character busy. All methods belong to one event loop."""

    def __init__(self) -> None:
        """Be free."""
        self._holders = 0
        self._free = asyncio.Event()
        self._free.set()

    @property
    def is_held(self) -> bool:
        """Whether anybody keeps it busy."""
        return self._holders > 0

    def take(self) -> None:
        """Be busy, once more."""
        self._holders += 1
        self._free.clear()

    def let_go(self) -> None:
        """Be busy once less; what waits is said when nobody is left."""
        self._holders -= 1
        if not self._holders:
            self._free.set()

    async def over(self) -> None:
        """Wait until nobody keeps it busy."""
        while self._holders:
            await self._free.wait()
