"""All characters of a game: saved at once, and restored at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from townsfolk.client.errors import InvalidArgumentError
from townsfolk.client.transcript import Transcript
from townsfolk.v1.dialogue_pb2 import SavedGame, SessionConfig, TranscriptEntry


class Member(Protocol):
    """A character, as `AsyncNpc` is one.

    Attributes:
        save_key: what it is called in a saved game.
        transcript: the lines that it remembers.
    """

    save_key: str
    transcript: Transcript

    def save(self) -> SessionConfig:
        """Return what a saved game keeps of it."""

    async def restore(self, history: Iterable[TranscriptEntry]) -> None:
        """Go on from the history of a saved game."""

    async def close(self) -> None:
        """End the session."""


class Cast:
    """The characters by their keys, and what those remember who were restored but not made yet.

    A key is free again once its character's session is closed: the next one of that key takes its
    place.
    """

    def __init__(self, is_open: Callable[[Member], bool]) -> None:
        """Be empty; `is_open` tells whether a character has a session."""
        self._is_open = is_open
        self._npcs: dict[str, list[Member]] = {}
        self._restored: dict[str, tuple[TranscriptEntry, ...]] = {}

    def add(self, npc: Member) -> None:
        """Take a character in that was made, or opened."""
        others = [each for each in self._npcs.get(npc.save_key, ()) if each is not npc]
        self._npcs[npc.save_key] = [*filter(self._is_open, others), npc]

    def take_history(self, key: str) -> Sequence[TranscriptEntry]:
        """Return what the character of a key remembers that is about to be made, once."""
        return self._restored.pop(key, ())

    def save(self) -> bytes:
        """Return what all of them remember.

        Raises:
            InvalidArgumentError: Two of them have the same key.
        """
        saved = SavedGame()
        for key, history in self._restored.items():
            saved.characters[key].history.extend(history)
        for key, npcs in self._npcs.items():
            live = [*filter(self._is_open, npcs)] or npcs[-1:]
            if len(live) > 1:
                raise InvalidArgumentError(
                    f"save_key: {len(live)} characters would be saved as {key!r}: give each its own"
                )
            saved.characters[key].CopyFrom(live[0].save())
        return saved.SerializeToString(deterministic=True)

    async def restore(self, saved: bytes) -> None:
        """Have all go on from there; those that it does not know begin anew.

        Raises:
            InvalidArgumentError: This is no saved game.
        """
        try:
            game = SavedGame.FromString(saved)
        except DecodeError:
            raise InvalidArgumentError("saved: is no saved game of Townsfolk") from None
        self._restored = {key: tuple(each.history) for key, each in game.characters.items()}
        restoring = []
        for key, npcs in self._npcs.items():
            history = self.take_history(key)
            restoring += [npc.restore(history) for npc in npcs]
        await asyncio.gather(*restoring)
