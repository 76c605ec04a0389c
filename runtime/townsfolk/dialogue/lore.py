"""World knowledge that many characters share."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from townsfolk.dialogue.errors import LimitReachedError, NotFoundError
from townsfolk.dialogue.outside import Outside

LoreId = Annotated[str, Field(min_length=1, max_length=128)]


class Lore(Outside):
    """Knowledge under a name."""

    lore_id: LoreId = Field(description="1 to 128 characters")
    text: str = Field(min_length=1, description="at least 1 character")


class LoreBook:
    """All lore of a runtime, by id."""

    def __init__(self, max_lores: int = 4096) -> None:
        self._max_lores = max_lores
        self._texts: dict[str, str] = {}

    def register(self, lore: Lore) -> None:
        """Add lore, or replace the lore of the same id for sessions opened from now on.

        Raises:
            LimitReachedError: The book is full.
        """
        if lore.lore_id not in self._texts and len(self._texts) >= self._max_lores:
            raise LimitReachedError(
                f"the runtime holds {self._max_lores} lores, its limit: replace one instead"
            )
        self._texts[lore.lore_id] = lore.text

    def texts(self, lore_ids: Sequence[str]) -> tuple[str, ...]:
        """The texts of these ids, in this order.

        Raises:
            NotFoundError: No lore has this id.
        """
        for lore_id in lore_ids:
            if lore_id not in self._texts:
                raise NotFoundError(f"lore_ids: no lore {lore_id!r}; register it first")
        return tuple(self._texts[lore_id] for lore_id in lore_ids)
