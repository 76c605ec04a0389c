"""What an adapter is, for others to read."""

from __future__ import annotations

from dataclasses import dataclass

from townsfolk.engine.errors import AdapterNotFoundError, NoAdaptersError


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """An adapter, for others to read.

    Attributes:
        name: of its folder.
        number: of its loading, from 1 on; 0 where it is not loaded.
        rank: the largest of its modules.
        nbytes: memory that it takes.
    """

    name: str
    number: int = 0
    rank: int = 0
    nbytes: int = 0

    @property
    def is_loaded(self) -> bool:
        """Whether requests can name it."""
        return self.number > 0


class NoAdapters:
    """The adapters of an engine that has none."""

    def list(self) -> list[AdapterInfo]:
        """Return nothing."""
        return []

    async def need(self, name: str) -> AdapterInfo:
        """Refuse; see `AdapterRegistry`."""
        raise NoAdaptersError

    load = need

    async def unload(self, name: str) -> None:
        """Refuse; see `AdapterRegistry`."""
        raise AdapterNotFoundError(name, [], is_there=True)
