"""What was said and what happened, line by line."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Self

from pydantic import Field, model_validator

from townsfolk.dialogue.errors import LimitReachedError
from townsfolk.dialogue.limits import MAX_ENTRIES, MAX_HISTORY_BYTES
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Line

MAX_SPEAKERS = 1000


class EntryKind(Enum):
    """What kind of line an entry is."""

    HEARD = "heard"
    """Somebody spoke to the character."""
    SPOKE = "spoke"
    """The character spoke."""
    EVENT = "event"
    """Something happened that the character learned of."""


class TranscriptEntry(Outside):
    """One line of a transcript."""

    kind: EntryKind = Field(description="heard, spoke or event")
    speaker: Line = Field(
        default="", max_length=64, description="at most 64 characters, one line; empty for events"
    )
    text: str
    cut: bool = False
    """The character was cut off here: `text` is what was said until then."""
    turn_id: str = Field(default="", max_length=128, description="at most 128 characters")

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if not self.text.strip() and not self.cut:
            raise ValueError("text must not be empty, except that of a reply that was cut")
        return self


class Transcript:
    """What a character remembers, oldest first.

    At most one turn at a time is being answered. Its answer comes right behind what began it, or
    where it began of its own accord, also when something happens in the world meanwhile.
    """

    def __init__(
        self,
        entries: Iterable[TranscriptEntry] = (),
        most_bytes: int = MAX_HISTORY_BYTES,
        on_forget: Callable[[Sequence[TranscriptEntry]], None] | None = None,
    ) -> None:
        """Begin with what happened before.

        Args:
            entries: That.
            most_bytes: What all lines may take in a message.
            on_forget: Is given the lines that are dropped.
        """
        self._on_forget = on_forget
        self._most_bytes = most_bytes
        self._entries = list(entries)
        self.size = sum(map(size_of, self._entries))
        """About how many bytes all lines take in a message."""
        self._place = 0  # where the answer comes that is under way
        self._asked = False  # whether what it answers is the line before
        # Also of lines that were forgotten since: the model may have them from one that was not.
        self._speakers = dict.fromkeys(entry.speaker for entry in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[TranscriptEntry, ...]:
        """All lines."""
        return tuple(self._entries)

    def own_lines(self, most: int) -> list[str]:
        """Return the newest lines of the character itself, oldest first."""
        own = [each.text for each in self._entries if each.kind is EntryKind.SPOKE and each.text]
        return own[-most:] if most else []

    @property
    def speakers(self) -> set[str]:
        """Who has spoken to the character, the newest thousand of them."""
        return {*self._speakers} - {""}

    @property
    def turn_ids(self) -> set[str]:
        """The turns that the lines belong to."""
        return {entry.turn_id for entry in self._entries} - {""}

    def note(self, event: TranscriptEntry) -> None:
        """Something has happened in the world."""
        self._entries.append(event)
        self.size += size_of(event)

    def add(self, entries: Sequence[TranscriptEntry]) -> None:
        """Something was said that nobody has to answer; all of it enters, or nothing.

        Raises:
            LimitReachedError: There is no room.
        """
        size = self.size + sum(map(size_of, entries))
        # One line is for an answer under way.
        if size > self._most_bytes or len(self._entries) + len(entries) >= MAX_ENTRIES:
            raise LimitReachedError(
                f"the transcript has {len(self._entries)} lines, {self.size} bytes, "
                f"and can't take more, here {len(entries)} lines: the oldest are forgotten only "
                "when the character speaks"
            )
        self.append(entries)

    def append(self, entries: Iterable[TranscriptEntry]) -> None:
        """Do as `add`, whether there is room or not."""
        for entry in entries:
            if entry.speaker:
                self._speakers[entry.speaker] = None
            self.note(entry)

    def ask(self, cue: TranscriptEntry | None) -> None:
        """Somebody has said what is answered next, or it has happened; None is nothing."""
        if cue is not None:
            self._speakers.pop(cue.speaker, None)
            self._speakers[cue.speaker] = None
            if len(self._speakers) > MAX_SPEAKERS:
                del self._speakers[next(iter(self._speakers))]
            self._entries.append(cue)
            self.size += size_of(cue)
        self._place = len(self._entries)
        self._asked = cue is not None

    def answer(self, reply: TranscriptEntry) -> None:
        """Add the character's answer."""
        self._entries.insert(self._place, reply)
        self.size += size_of(reply)

    def unask(self) -> None:
        """There will be no answer, as if nobody had asked."""
        if self._asked:
            self._place -= 1
            self.size -= size_of(self._entries.pop(self._place))

    def with_answer(self, reply: TranscriptEntry) -> tuple[TranscriptEntry, ...]:
        """Return all lines, as if the character had answered this."""
        return (*self._entries[: self._place], reply, *self._entries[self._place :])

    def excess(self) -> int:
        """Return how many of the oldest lines are more than may be; never the last line."""
        size, count = self.size, 0
        while size > self._most_bytes and count < len(self._entries) - 1:
            size -= size_of(self._entries[count])
            count += 1
        return count

    def forget(self, count: int) -> tuple[TranscriptEntry, ...]:
        """Drop the oldest lines, and give them."""
        dropped = tuple(self._entries[:count])
        del self._entries[:count]
        self.size -= sum(map(size_of, dropped))
        self._place -= count
        if self._on_forget is not None:
            self._on_forget(dropped)
        return dropped

    def cut(self, turn_id: str, heard: int) -> str | None:
        """Shorten a reply to the characters that were heard.

        Args:
            turn_id: The reply's turn; empty for the last reply.
            heard: How many code points of it are kept.

        Returns:
            The id of the turn; None when there is no such reply, or it is no longer than that.
        """
        for index in reversed(range(len(self._entries))):
            entry = self._entries[index]
            if entry.kind is EntryKind.SPOKE and turn_id in ("", entry.turn_id):
                if heard >= len(entry.text):
                    return None
                update = {"text": entry.text[:heard], "cut": True}
                self._entries[index] = entry.model_copy(update=update)
                self.size += size_of(self._entries[index]) - size_of(entry)
                return entry.turn_id
        return None


def size_of(entry: TranscriptEntry) -> int:
    """Return the bytes of a line's texts in UTF-8, and of what is between them in a message."""
    texts = (entry.text, entry.speaker, entry.turn_id)
    return 24 + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
