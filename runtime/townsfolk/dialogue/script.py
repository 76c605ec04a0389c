"""Lines that a game's script speaks, and a character remembers."""

from pydantic import Field, field_validator

from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.limits import MAX_EVENT_CHARACTERS
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.prompt import DEFAULT_SPEAKER
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry

MAX_LINES = 256


class ScriptLines(Outside):
    """Lines that were spoken without the runtime, oldest first."""

    lines: tuple[TranscriptEntry, ...] = Field(description=f"1 to {MAX_LINES} lines")

    @field_validator("lines")
    @classmethod
    def _can_be_recorded(cls, lines: tuple[TranscriptEntry, ...]) -> tuple[TranscriptEntry, ...]:
        if not 1 <= len(lines) <= MAX_LINES:
            raise ValueError(f"are {len(lines)}")
        for number, line in enumerate(lines):
            if not line.text.strip() or len(line.text) > MAX_EVENT_CHARACTERS:
                raise ValueError(
                    f"number {number} has {len(line.text.strip())} characters of text (allowed: 1 "
                    f"to {MAX_EVENT_CHARACTERS})"
                )
            if line.turn_id:
                raise ValueError(f"number {number} has a turn_id, but belongs to no turn")
            if line.cut and line.kind is not EntryKind.SPOKE:
                raise ValueError(f"number {number} is cut, which only the character's own can be")
            if line.speaker and line.kind is EntryKind.EVENT:
                raise ValueError(f"number {number} is an event, which has no speaker")
        return lines

    def entries(self, name: str) -> tuple[TranscriptEntry, ...]:
        """Return the lines as the transcript of the character of this name has them.

        Raises:
            InvalidFieldError: A line that the character spoke has another's name.
        """
        speakers = {EntryKind.SPOKE: name, EntryKind.HEARD: DEFAULT_SPEAKER, EntryKind.EVENT: ""}
        for number, line in enumerate(self.lines):
            if line.kind is EntryKind.SPOKE and line.speaker not in ("", name):
                raise InvalidFieldError(
                    f"lines.{number}.speaker: is {line.speaker!r}, but what the character spoke is "
                    f"{name!r}'s: leave it empty, or say that it was heard"
                )
        return tuple(
            line.model_copy(update={"speaker": line.speaker or speakers[line.kind]})
            for line in self.lines
        )
