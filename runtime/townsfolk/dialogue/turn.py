"""One turn: what has a character speak, and what it says."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum
from typing import get_args

from pydantic import Field, ValidationInfo, field_validator

from townsfolk.dialogue.actions import ActionsNow, Outcome
from townsfolk.dialogue.confidence import ConfidenceMeter, HesitationEntropy
from townsfolk.dialogue.drawn import DrawnText
from townsfolk.dialogue.events import (
    DirectionGiven,
    SentenceCompleted,
    TextDelta,
    TurnEnd,
    TurnEvent,
)
from townsfolk.dialogue.held import HeldText
from townsfolk.dialogue.limits import MAX_EVENT_CHARACTERS
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Line
from townsfolk.dialogue.plain_prompt import PlainPrompt
from townsfolk.dialogue.prompt import DEFAULT_SPEAKER
from townsfolk.dialogue.speech import (
    Described,
    Shown,
    Speech,
    SpeechSettings,
    Spoken,
    StageDirections,
)
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import TokenInfo
from townsfolk.engine.unread import Unread, size
from townsfolk.grammar import Grammar
from townsfolk.sampling.params import SamplingParams

_ENDS = get_args(TurnEnd)


class TurnCue(Enum):
    """What a turn begins with."""

    SAID = "said"
    """Somebody speaks to the character."""
    EVENT = "event"
    """Something happens, which the character says something to."""
    NONE = "none"
    """Nothing: the character speaks of its own accord."""


class Utterance(Outside):
    """What has a character speak: what somebody says to it, or what happens."""

    cue: TurnCue = Field(default=TurnCue.SAID, description="said, event or none")
    text: str = Field(default="", validate_default=True)
    speaker: Line = Field(default="", max_length=64, description="at most 64 characters, one line")
    turn_id: str = Field(default="", max_length=128, description="at most 128 characters")
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)
    deadline_ms: int = Field(
        default=0, ge=0, le=2**31 - 1, description="0 (no limit) to 2147483647 milliseconds"
    )
    hesitation_entropy: HesitationEntropy = None
    actions: ActionsNow = Field(default_factory=ActionsNow)
    grammar: Grammar | None = Field(default=None, description="what the answer must be")

    @field_validator("text")
    @classmethod
    def _is_text_of_its_cue(cls, text: str, others: ValidationInfo) -> str:
        match others.data.get("cue"):
            case TurnCue.SAID if not text.strip():
                raise ValueError("must not be empty: it is what somebody says")
            case TurnCue.EVENT if not text.strip() or len(text) > MAX_EVENT_CHARACTERS:
                raise ValueError(
                    f"has {len(text.strip())} characters, but is what happens "
                    f"(allowed: 1 to {MAX_EVENT_CHARACTERS})"
                )
            case TurnCue.NONE if text:
                raise ValueError("must be empty where the character speaks of its own accord")
        return text

    @field_validator("speaker")
    @classmethod
    def _speaks(cls, speaker: str, others: ValidationInfo) -> str:
        if speaker and others.data.get("cue") in (TurnCue.EVENT, TurnCue.NONE):
            raise ValueError("must be empty where nobody speaks to the character")
        return speaker

    def entry(self, turn_id: str) -> TranscriptEntry | None:
        """Return the line of the transcript for what is said or happens; None for nothing."""
        match self.cue:
            case TurnCue.SAID:
                kind, speaker = EntryKind.HEARD, self.speaker or DEFAULT_SPEAKER
            case TurnCue.EVENT:
                kind, speaker = EntryKind.EVENT, ""
            case TurnCue.NONE:
                return None
        return TranscriptEntry(kind=kind, speaker=speaker, text=self.text, turn_id=turn_id)


class Turn:
    """A turn of a session: iterate over it for its events; the last is a `TurnEnd`.

    A reader that leaves before the end (`break`, a cancelled task) interrupts the turn; one that
    never begins lets it run. Events wait for the reader, text joined to one: no more than one reply
    makes.
    """

    def __init__(
        self,
        turn_id: str,
        utterance: Utterance,
        params: SamplingParams,
        deadline: float | None,
        interrupt: Callable[["Turn"], None],
        unread: Unread,
        speaker: str,
        speech: SpeechSettings,
    ) -> None:
        """Made by `Session.say`; `speaker` answers."""
        self.id = turn_id
        self.speaker = speaker
        self.utterance = utterance
        self.params = params
        self.text = ""
        """What of the answer has come."""
        self.asked_at = asyncio.get_running_loop().time()
        """When it was asked for, on the event loop's clock."""
        self.deadline = deadline
        """When the answer must end, on the event loop's clock."""
        self.expiry: asyncio.TimerHandle | None = None
        """What ends the turn if it still waits then."""
        self.generation: Generation | None = None
        """What the engine makes of it, once the turn has started."""
        self.meter: ConfidenceMeter | None = None
        """What tells of each sentence how sure it was, where that is asked for."""
        self.own_lines: list[str] = []
        """What the character said before, as far as it is not to repeat it."""
        self.plain: PlainPrompt | None = None
        """What it is answered in contrast to, if anything."""
        self.retries = 0
        """How often what went round in circles was said anew."""
        self._held: HeldText | None = None
        self._said = ""  # what the model has written of what was shown
        self.draws: list[DrawnText] | None = None
        """What the model has drawn, where that is recorded; see `Episode`."""
        self.goes_on = False
        """Whether what comes next was drawn apart from what came before: a space goes between."""
        self.actions_taken = 0
        self.awaited: tuple[str, asyncio.Future[Outcome | None]] | None = None
        """The action that waits for the game's answer, and where that goes."""
        self.interrupted = False
        self.heard: int | None = None
        """How many characters of the answer count, when it was interrupted."""
        self.is_over = False
        self._interrupt = interrupt
        grammar = utterance.grammar
        # Nothing is taken from what was asked for.
        exact = SpeechSettings(directions=StageDirections.SPEAK)
        self._speech = Speech(
            speech if grammar is None else exact,
            has_sentences=grammar is None or not grammar.is_json,
        )
        self._sentence_count = 0
        self._events: deque[TurnEvent] = deque()
        self._unread = unread
        self._changed = asyncio.Event()

    def interrupt(self) -> None:
        """Cut the answer off; nothing happens when the turn is over."""
        self._interrupt(self)

    def send(self, event: TurnEvent) -> None:
        """Hand an event to the reader."""
        self.is_over = isinstance(event, _ENDS)
        if self.is_over and self.expiry is not None:
            self.expiry.cancel()
        self._events.append(event)
        self._changed.set()

    @property
    def may_retry(self) -> bool:
        """Whether a reply that goes round in circles goes on with other draws."""
        asked = self.params.retry_repetition and self.params.temperature > 0
        return asked and not self.retries and not self.interrupted

    def hold(self) -> None:
        """Send only sentences that are whole, until `let_go` or `drop_held`."""
        self._held = HeldText()

    def let_go(self) -> None:
        """Send what is held, and hold nothing any more.

        Raises:
            UnreadLimitError: Too much waits for the reader.
        """
        held, self._held = self._held, None
        if held is not None:
            for text, tokens in held.rest():
                self.take(text, tokens)

    def drop_held(self) -> str:
        """Forget what is held; return what the model has written of what was sent."""
        self._held = None
        self._tell(self._speech.finish())
        return self._said

    def take(self, text: str, tokens: tuple[TokenInfo, ...] = ()) -> None:
        """Send what more the character has said, and sentences that are whole.

        Raises:
            UnreadLimitError: Too much waits for the reader.
        """
        if self._held is None:
            self._send(text, tokens)
            return
        for piece, own in self._held.take(text, tokens):
            self._send(piece, own)

    def _send(self, text: str, tokens: tuple[TokenInfo, ...]) -> None:
        if self.goes_on and text:
            self.goes_on = False
            if self.text and not text[0].isspace():
                text = " " + text
        self._said += text
        if self.meter is not None:
            self.meter.take(text, tokens)
        reported = tokens if self.params.logprobs is not None else ()
        told = self._speech.take(text)
        if reported:  # with what they are behind, or before it as long as that is held
            first = told[0] if told else None
            is_direction = isinstance(first, Shown) and first.is_direction
            self._send_text("", reported, is_direction=is_direction)
            self._unread.add(size("", reported))
        self._tell(told)

    def record(
        self, prompt_ids: Sequence[int], tokens: Sequence[TokenInfo], grammar: Grammar | None
    ) -> None:
        """Keep what a request has drawn, where that is recorded."""
        if self.draws is not None:
            temperature = self.params.temperature
            drawn = DrawnText(tuple(prompt_ids), tuple(tokens), grammar, temperature)
            self.draws.append(drawn)

    def answer_action(self, action_id: str, outcome: Outcome | None) -> bool:
        """Give the game's answer to an action; return whether it was waited for."""
        if self.awaited is None or action_id not in ("", self.awaited[0]):
            return False
        if not self.awaited[1].done():
            self.awaited[1].set_result(outcome)
        return True

    def end_sentence(self) -> None:
        """Send the last sentence: the character has said all.

        Raises:
            UnreadLimitError: Too much waits for the reader.
        """
        self._tell(self._speech.finish())

    def _send_text(
        self, text: str, tokens: tuple[TokenInfo, ...] = (), *, is_direction: bool = False
    ) -> None:
        """Send text, together with text of its kind that nobody has read yet."""
        self.text += text
        last = self._events[-1] if self._events else None
        if isinstance(last, TextDelta) and last.is_direction == is_direction:
            text, tokens = last.text + text, last.tokens + tokens
            self._events.pop()
        self.send(TextDelta(self.id, text, tokens, is_direction))

    def _tell(self, told: list[Shown | Described | Spoken]) -> None:
        for each in told:
            match each:
                case Shown():
                    self._send_text(each.text, is_direction=each.is_direction)
                    self._unread.add(size(each.text))
                case Described():
                    self.send(
                        DirectionGiven(
                            self.id, self.speaker, each.text, each.mark, each.offset, each.length
                        )
                    )
                    self._unread.add(size(each.text))
                case Spoken():
                    sure = None if self.meter is None else self.meter.of(each)
                    self.send(
                        SentenceCompleted(
                            self.id,
                            self._sentence_count,
                            each.text,
                            sure,
                            self.speaker,
                            each.offset,
                            each.length,
                        )
                    )
                    self._unread.add(size(each.text))
                    self._sentence_count += 1

    async def __aiter__(self) -> AsyncIterator[TurnEvent]:
        try:
            while self._events or not self.is_over:
                while self._events:
                    yield self._events.popleft()
                self._unread.clear()
                self._changed.clear()
                if not self.is_over:
                    await self._changed.wait()
        finally:
            self.interrupt()
