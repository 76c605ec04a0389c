"""The text of a reply as players see it."""

from collections.abc import Sequence

from townsfolk.dialogue.labels import PLACE, UNSURE, Label, SpeakerLabels
from townsfolk.engine.outputs import FinishReason
from townsfolk.text.repetition import RepetitionGuard
from townsfolk.text.sentences import SentenceSplitter
from townsfolk.text.stop import StopScanner
from townsfolk.text.thoughts import ThoughtFilter

# More than any text holds: for those who don't count tokens.
_MANY = 2**31
# What shows whether a label can stand behind it: a full stop and what closes after it.
_TAIL = 8


class ReplyText:
    """Cleans a reply while it streams, and ends it where it is no longer the character's.

    Left out are what the model thinks, white space around the reply, and the character's own
    "Name:" before it, with which models that see a script like to begin: the game shows who speaks.
    The reply ends before everybody else's label, and before the character's own further on, and
    where it goes round in circles. Near its limit it ends with a sentence. Nothing that is still in
    doubt is given out, so that all pieces joined are exactly the text, however they come. It is a
    `TextFilter` of the engine.
    """

    def __init__(
        self,
        labels: SpeakerLabels,
        stops: Sequence[str] = (),
        *,
        begins_action: str = "",
        last_tokens: int = 0,
        begins_in_thought: bool = False,
        guard: RepetitionGuard | None = None,
    ) -> None:
        """Start a reply.

        Args:
            labels: Of everybody who speaks.
            stops: Texts of the chat template that end a reply.
            begins_action: With what it ends where the character begins to act, if it may.
            last_tokens: When no more tokens than this are left, the reply ends with its sentence.
            begins_in_thought: The prompt has begun a thought, which the reply goes on with.
            guard: Ends a reply, or a thought, that goes round in circles.
        """
        self.finish_reason: FinishReason | None = None
        self.text = ""
        """What was given out so far."""
        self.began_as_another = False
        """Whether the reply ended at once, as it began with somebody else's label."""
        self._labels = labels
        self._guard = guard
        self._thoughts = ThoughtFilter(is_open=begins_in_thought)
        self.begins_action = begins_action
        self._stops = StopScanner((*stops, begins_action) if begins_action else stops)
        self._last_tokens = last_tokens
        self._held = ""  # not looked at yet, or in doubt
        self._may_be_label = True  # whether a label could stand where `_held` begins
        self._spaces = ""  # white space that belongs to the reply if it goes on
        self._splitter: SentenceSplitter | None = None  # near the limit

    @property
    def stopped(self) -> str | None:
        """Which of `stops` ended the reply, if one did."""
        return self._stops.stopped

    def push(self, text: str, tokens_left: int = _MANY) -> str:
        """Take more text; give what can be shown."""
        if self.finish_reason is not None:
            return ""
        if self._guard is not None:
            text = self._guard.push(text, tokens_left)
            if self._guard.found:
                return self._end_in_circles(text)
        return self._push(text, tokens_left)

    def _push(self, text: str, tokens_left: int = _MANY) -> str:
        if self._splitter is None and tokens_left <= self._last_tokens:
            self._splitter = SentenceSplitter()
            self._splitter.push(self.text + self._spaces)
        self._held += self._stops.push(self._thoughts.push(text))
        shown = self._sift()
        if self._stops.stopped is not None and self.finish_reason is None:
            self.finish_reason = FinishReason.END
            shown += self._show(self._held)
        return shown

    def finish(self, text: str = "") -> str:
        """Take the last text; give what was held back, as the reply has ended."""
        if self.finish_reason is not None:
            return ""
        if self._guard is not None:
            text = self._guard.push(text, _MANY) + self._guard.flush()
        return self._finish(text)

    def _end_in_circles(self, text: str) -> str:
        shown = self._finish(text)
        if self.finish_reason is None:
            self.finish_reason = FinishReason.REPETITION
        return shown

    def _finish(self, text: str) -> str:
        shown = self._push(text)
        if self.finish_reason is None:
            self._held += self._stops.push(self._thoughts.finish()) + self._stops.flush()
            shown += self._sift()
        if self.finish_reason is None:
            shown += self._show(self._held)
            self._held = ""
        return shown

    def _sift(self) -> str:
        """Give out what is held, as far as it is certain that no label begins there."""
        shown = ""
        while self.finish_reason is None:
            if self._may_be_label:
                label = self._labels.read(self._held)
                if label is UNSURE:
                    break
                if label is not None:
                    self._take(label)
                    continue
            place = self._next_place()
            self._may_be_label = place is not None
            end = len(self._held) if place is None else place
            shown += self._show(self._held[:end])
            self._held = self._held[end:]
            if place is None:
                break
        return shown

    def _take(self, label: Label) -> None:
        """Leave out the character's own label before the reply; others end it."""
        begins = not self.text
        if begins and label.is_own:
            self._held = label.opened + self._held[label.length :]
        else:
            self.finish_reason = FinishReason.END
            self.began_as_another = begins

    def _next_place(self) -> int | None:
        """Return where in what is held the next label could stand, but for where it begins."""
        tail = (self.text[-_TAIL:] + self._spaces)[-_TAIL:]
        first = len(tail) + self._may_be_label
        for match in PLACE.finditer(tail + self._held):
            place = match.start() if match[0] == "\n" else match.end()
            if place >= first:
                return place - len(tail)
        return None

    def _show(self, text: str) -> str:
        """Text without white space at the ends of the reply, up to the sentence that ends it."""
        if not self.text:
            text = text.lstrip()
        if self._splitter is not None and self._splitter.push(text):
            text = text[: max(len(text) - len(self._splitter.rest), 0)]
            self.finish_reason = FinishReason.LENGTH
        text = self._spaces + text
        shown = text.rstrip()
        self._spaces = text[len(shown) :]
        self.text += shown
        return shown
