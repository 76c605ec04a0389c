"""The client's copy of a session's transcript: what re-opens it after the runtime was lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from townsfolk.v1.dialogue_pb2 import EntryKind, SessionEvent, TranscriptEntry, TurnCue, Utterance
from townsfolk.v1.sampling_pb2 import FinishReason

DEFAULT_SPEAKER = "Player"
# A field's number and length before each entry in a message, in bytes.
ENTRY_OVERHEAD = 6


class Transcript:
    """Follows the events of a session, so that `entries` has the lines that the runtime has.

    Lines that the runtime forgot, for the model's context was full, are forgotten here too.
    """

    def __init__(self, persona_name: str, entries: Iterable[TranscriptEntry]) -> None:
        """Begin with the entries of a saved game."""
        self.entries = list(entries)
        self._persona_name = persona_name
        # Turns whose answer has not begun, with the line before it, if any.
        self._asked: dict[str, TranscriptEntry | None] = {}
        self._answers: dict[str, _Answer] = {}  # turns being answered
        self._heard: dict[str, int] = {}  # of these, what was heard of them

    def ask(self, utterance: Utterance) -> None:
        """Note what begins a turn; it enters the transcript when the turn starts."""
        self._asked[utterance.turn_id] = _line(utterance)

    def remember(self, turn_id: str, speaker: str, text: str, answer: str) -> None:
        """Note an answer that was chosen among texts, and what was said before it, if anything."""
        if text:
            self.entries.append(_heard(turn_id, speaker, text))
        self.entries.append(self._spoke(turn_id, answer))

    def follow(self, event: SessionEvent) -> None:
        """Take one event of the session into account."""
        match event.WhichOneof("event"):
            case "turn_started":
                self._start(event.turn_started.turn_id)
            case "text_delta":
                answer = self._answers.get(event.text_delta.turn_id)
                if answer is not None:
                    answer.pieces.append(event.text_delta.text)
            case "turn_finished":
                finished = event.turn_finished
                is_late = finished.finish_reason == FinishReason.FINISH_REASON_DEADLINE
                self._end(finished.turn_id, finished.text, cut=is_late)
            case "turn_interrupted":
                self._end(event.turn_interrupted.turn_id, event.turn_interrupted.text, cut=True)
            case "notified":
                self.entries.append(
                    TranscriptEntry(kind=EntryKind.ENTRY_KIND_EVENT, text=event.notified.text)
                )
            case "recorded":
                self.entries.extend(event.recorded.lines)
            case "action_settled":
                text = event.action_settled.text
                self.entries.append(TranscriptEntry(kind=EntryKind.ENTRY_KIND_EVENT, text=text))
            case "context_trimmed":
                for entry in event.context_trimmed.dropped:
                    if entry in self.entries:  # nearly always the first
                        self.entries.remove(entry)
            case "error":
                self._break_off(event.error.turn_id)

    def cut(self, turn_ids: Sequence[str], heard_characters: int) -> None:
        """Keep what was heard of an answer that had ended when it was interrupted.

        Args:
            turn_ids: The runtime's answer to an Interrupt: of the first of them so much was heard.
            heard_characters: Unicode code points.
        """
        for turn_id in turn_ids[:1]:
            if turn_id in self._asked or turn_id in self._answers:
                self._heard[turn_id] = heard_characters
                return
            for entry in reversed(self.entries):
                spoke = entry.kind == EntryKind.ENTRY_KIND_SPOKE
                if spoke and turn_id in ("", entry.turn_id):
                    _shorten(entry, heard_characters)
                    return

    def saved(self) -> list[TranscriptEntry]:
        """Return the lines with the answers under way, as far as they have come, which are cut."""
        entries = [*self.entries]
        for turn_id, answer in self._answers.items():
            if text := answer.text:
                entries.insert(_place(entries, answer.after), self._spoke(turn_id, text, cut=True))
        return entries

    def lose_connection(self) -> None:
        """Mark the answers under way as cut; questions nobody began to answer are forgotten."""
        for turn_id in [*self._answers]:
            self._break_off(turn_id)
        self._asked.clear()
        self._heard.clear()

    def replace(self, entries: Iterable[TranscriptEntry]) -> None:
        """Take over what the runtime has, with no turn under way."""
        self.lose_connection()
        self.entries = list(entries)

    def keep_newest(self, max_entries: int, max_bytes: int) -> None:
        """Forget the oldest entries, as far as a request of this size can't hold them."""
        start = len(self.entries)
        while start > 0 and len(self.entries) - start < max_entries:
            max_bytes -= self.entries[start - 1].ByteSize() + ENTRY_OVERHEAD
            if max_bytes < 0:
                break
            start -= 1
        del self.entries[:start]

    def _start(self, turn_id: str) -> None:
        if turn_id not in self._asked:
            return
        question = self._asked.pop(turn_id)
        if question is not None:
            self.entries.append(question)
        after = self.entries[-1] if self.entries else None
        self._answers[turn_id] = _Answer(question, after, [])

    def _end(self, turn_id: str, text: str, *, cut: bool) -> None:
        self._asked.pop(turn_id, None)  # interrupted while it waited: as if never said
        heard = self._heard.pop(turn_id, None)
        answer = self._answers.pop(turn_id, None)
        if answer is None or not (text or cut):
            return
        entry = self._spoke(turn_id, text, cut=cut)
        if heard is not None:
            _shorten(entry, heard)
        self.entries.insert(_place(self.entries, answer.after), entry)

    def _break_off(self, turn_id: str) -> None:
        """End a turn that failed: what was said stays said; else it is as if nobody had asked."""
        answer = self._answers.get(turn_id)
        text = answer.text if answer else ""
        if answer is not None and answer.question is not None and not text:
            del self.entries[_place(self.entries, answer.question) - 1]
        self._end(turn_id, text, cut=bool(text))

    def _spoke(self, turn_id: str, text: str, *, cut: bool = False) -> TranscriptEntry:
        return TranscriptEntry(
            kind=EntryKind.ENTRY_KIND_SPOKE,
            speaker=self._persona_name,
            text=text,
            cut=cut,
            turn_id=turn_id,
        )


@dataclass(slots=True)
class _Answer:
    """An answer under way, the line that it answers, and the line that it comes after, if any."""

    question: TranscriptEntry | None
    after: TranscriptEntry | None
    pieces: list[str]

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()


def _place(entries: Sequence[TranscriptEntry], after: TranscriptEntry | None) -> int:
    """Return where the line goes that comes right behind another; behind none it is the first."""
    # From the end: what happened meanwhile are a few lines.
    places = (n for n in range(len(entries), 0, -1) if entries[n - 1] is after)
    return next(places, 0)


def _line(utterance: Utterance) -> TranscriptEntry | None:
    match utterance.cue:
        case TurnCue.TURN_CUE_NONE:
            return None
        case TurnCue.TURN_CUE_EVENT:
            kind = EntryKind.ENTRY_KIND_EVENT
            return TranscriptEntry(kind=kind, text=utterance.text, turn_id=utterance.turn_id)
        case _:
            return _heard(utterance.turn_id, utterance.speaker, utterance.text)


def _heard(turn_id: str, speaker: str, text: str) -> TranscriptEntry:
    return TranscriptEntry(
        kind=EntryKind.ENTRY_KIND_HEARD,
        speaker=speaker or DEFAULT_SPEAKER,
        text=text,
        turn_id=turn_id,
    )


def _shorten(entry: TranscriptEntry, heard_characters: int) -> None:
    if heard_characters < len(entry.text):
        entry.text, entry.cut = entry.text[:heard_characters], True
