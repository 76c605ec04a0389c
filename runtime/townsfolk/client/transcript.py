"""The client's copy of a session's transcript: what re-opens it after the runtime was lost."""

from __future__ import annotations

from collections.abc import Iterable

from townsfolk.v1.dialogue_pb2 import EntryKind, SessionEvent, TranscriptEntry


class Transcript:
    """Follows the events of a session; `entries` is what `SessionConfig.history` takes."""

    def __init__(self, persona_name: str, entries: Iterable[TranscriptEntry]) -> None:
        """Begin with the entries of a saved game."""
        self.entries = list(entries)
        self._persona_name = persona_name
        self._asked: dict[str, TranscriptEntry] = {}  # turns whose answer has not begun
        self._speaking: dict[str, TranscriptEntry] = {}  # turns being answered

    def ask(self, turn_id: str, speaker: str, text: str) -> None:
        """Note what was said to the character; it enters the transcript when the turn starts."""
        self._asked[turn_id] = TranscriptEntry(
            kind=EntryKind.ENTRY_KIND_HEARD, speaker=speaker, text=text, turn_id=turn_id
        )

    def follow(self, event: SessionEvent) -> None:
        """Take one event of the session into account."""
        match event.WhichOneof("event"):
            case "turn_started":
                self._start(event.turn_started.turn_id)
            case "text_delta":
                entry = self._speaking.get(event.text_delta.turn_id)
                if entry is not None:
                    entry.text += event.text_delta.text
            case "turn_finished":
                self._end(event.turn_finished.turn_id, event.turn_finished.text, cut=False)
            case "turn_interrupted":
                self._end(event.turn_interrupted.turn_id, event.turn_interrupted.text, cut=True)
            case "notified":
                self.entries.append(
                    TranscriptEntry(kind=EntryKind.ENTRY_KIND_EVENT, text=event.notified.text)
                )
            case "error":
                self._asked.pop(event.error.turn_id, None)
                self._speaking.pop(event.error.turn_id, None)

    def cut(self, turn_id: str, heard_characters: int) -> None:
        """Shorten an answer that is over to what was heard of it; the runtime does the same."""
        for entry in reversed(self.entries):
            if entry.kind == EntryKind.ENTRY_KIND_SPOKE and entry.turn_id == turn_id:
                if turn_id not in self._speaking and heard_characters < len(entry.text):
                    entry.text, entry.cut = entry.text[:heard_characters], True
                return

    def lose_connection(self) -> None:
        """Mark the answers under way as cut; questions nobody began to answer are forgotten."""
        for entry in self._speaking.values():
            entry.cut = True
            entry.text = entry.text.strip()
        self._asked.clear()
        self._speaking.clear()

    def _start(self, turn_id: str) -> None:
        asked = self._asked.pop(turn_id, None)
        if asked is None:
            return
        answer = TranscriptEntry(
            kind=EntryKind.ENTRY_KIND_SPOKE, speaker=self._persona_name, turn_id=turn_id
        )
        self.entries += [asked, answer]
        self._speaking[turn_id] = answer

    def _end(self, turn_id: str, text: str, *, cut: bool) -> None:
        self._asked.pop(turn_id, None)  # interrupted while it waited: as if never said
        self._speaking.pop(turn_id, None)
        for entry in reversed(self.entries):
            if entry.turn_id == turn_id and entry.kind == EntryKind.ENTRY_KIND_SPOKE:
                entry.text, entry.cut = text, cut
                return
