"""Lines that a game's script speaks, for `AsyncNpc.record`."""

from __future__ import annotations

from townsfolk.client.arguments import message
from townsfolk.v1.dialogue_pb2 import EntryKind, TranscriptEntry


def spoken(text: str, *, cut: bool = False) -> TranscriptEntry:
    """Return a line that the character spoke; `cut` where it was cut off."""
    kind = EntryKind.ENTRY_KIND_SPOKE
    return message(TranscriptEntry, kind=kind, text=text, cut=cut)


def heard(text: str, speaker: str = "") -> TranscriptEntry:
    """Return a line that was said to the character; no speaker is the player."""
    kind = EntryKind.ENTRY_KIND_HEARD
    return message(TranscriptEntry, kind=kind, text=text, speaker=speaker)


def happened(text: str) -> TranscriptEntry:
    """Return something that the character saw happen."""
    return message(TranscriptEntry, kind=EntryKind.ENTRY_KIND_EVENT, text=text)
