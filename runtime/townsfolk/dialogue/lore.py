"""World knowledge that many characters share."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from townsfolk.dialogue.errors import LimitReachedError, NotFoundError
from townsfolk.dialogue.limits import check_length
from townsfolk.dialogue.outside import Outside

LoreId = Annotated[str, Field(min_length=1, max_length=128)]


class Lore(Outside):
    """Knowledge under a name."""

    lore_id: LoreId = Field(description="1 to 128 characters")
    text: str = Field(min_length=1, description="at least 1 character")


class LoreBook:
    """All lore of a runtime, by id."""

    def __init__(
        self, context_tokens: int, *, max_lores: int = 4096, max_bytes: int = 64 * 1024 * 1024
    ) -> None:
        """Have no lore yet.

        Args:
            context_tokens: The model's context, half of which can hold lore.
            max_lores: The most texts.
            max_bytes: The most UTF-8 bytes of all texts together.
        """
        self._context_tokens = context_tokens
        self._max_lores = max_lores
        self._max_bytes = max_bytes
        self._bytes = 0
        self._texts: dict[str, str] = {}

    def register(self, lore: Lore) -> None:
        """Add lore, or replace the lore of the same id for sessions opened from now on.

        Raises:
            InvalidFieldError: It is longer than any character could know it.
            LimitReachedError: The book is full.
        """
        check_length("text:", len(lore.text), self._context_tokens // 2)
        if lore.lore_id not in self._texts and len(self._texts) >= self._max_lores:
            raise LimitReachedError(
                f"the runtime holds {self._max_lores} lores, its limit: remove or replace one"
            )
        total = self._bytes + _size(lore.text) - _size(self._texts.get(lore.lore_id, ""))
        if total > self._max_bytes:
            raise LimitReachedError(
                f"the runtime would hold {total} bytes of lore, but its limit is "
                f"{self._max_bytes}: remove a text, or replace it by a shorter one"
            )
        self._bytes = total
        self._texts[lore.lore_id] = lore.text

    def remove(self, lore_id: str) -> None:
        """Forget lore; sessions that were opened with it keep it.

        Raises:
            NotFoundError: No lore has this id.
        """
        text = self._texts.pop(lore_id, None)
        if text is None:
            raise NotFoundError(f"lore_id: no lore {lore_id!r} is registered")
        self._bytes -= _size(text)

    def texts(self, lore_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the texts of these ids, in this order.

        Raises:
            NotFoundError: No lore has this id.
        """
        for lore_id in lore_ids:
            if lore_id not in self._texts:
                raise NotFoundError(f"lore_ids: no lore {lore_id!r}; register it first")
        return tuple(self._texts[lore_id] for lore_id in lore_ids)


def _size(text: str) -> int:
    return len(text.encode())
