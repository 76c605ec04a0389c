"""What happens in a session. The classes mirror `SessionEvent` of dialogue.proto."""

from dataclasses import dataclass

from townsfolk.dialogue.confidence import Confidence
from townsfolk.dialogue.transcript import TranscriptEntry
from townsfolk.engine.outputs import FinishReason, TokenInfo, Usage
from townsfolk.text.directions import Mark

NO_USAGE = Usage(0, 0, 0, 0.0, 0.0, 0)
"""Of a turn that no request was made for."""


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The session exists and can be spoken to."""

    session_id: str
    resumed: bool
    system_tokens: int
    """Tokens of lore and persona."""
    context_tokens: int


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The character begins to answer."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text; all of them joined are the whole answer."""

    turn_id: str
    text: str
    tokens: tuple[TokenInfo, ...] = ()
    """The tokens behind the text, when log-probabilities were asked for."""
    is_direction: bool = False
    """The text is a stage direction, marks and all: it is not spoken."""


@dataclass(frozen=True, slots=True)
class DirectionGiven:
    """The character does something, or says how it speaks; nobody says this aloud."""

    turn_id: str
    speaker: str
    text: str
    """Without its marks."""
    mark: Mark
    offset: int
    """Where it stands in the answer, in code points."""
    length: int
    """How many characters of the answer it takes; 0 where the answer is without it."""


@dataclass(frozen=True, slots=True)
class SentenceCompleted:
    """A sentence of the answer is whole: it can be spoken aloud."""

    turn_id: str
    index: int
    """Counts from 0 within the turn."""
    text: str
    """What is said: without stage directions, and without asterisks that only give emphasis."""
    confidence: Confidence | None = None
    """How sure the character was of it, where that was asked for."""
    speaker: str = ""
    """Who says it."""
    offset: int = 0
    """Where it begins in the answer, in code points."""
    length: int = 0
    """How many characters of the answer it takes, with what in it is not said."""


@dataclass(frozen=True, slots=True)
class ActionRequested:
    """The character acts; the answer waits for what the game makes of it."""

    turn_id: str
    action_id: str
    name: str
    arguments_json: str
    offset: int
    """How many characters of the answer were said before."""


@dataclass(frozen=True, slots=True)
class ActionSettled:
    """The character knows what came of an action."""

    turn_id: str
    action_id: str
    accepted: bool
    text: str
    """The transcript's line."""


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The answer is whole."""

    turn_id: str
    text: str
    """The whole answer, without surrounding white space."""
    finish_reason: FinishReason
    usage: Usage
    retries: int = 0
    """How often what went round in circles was said anew."""


@dataclass(frozen=True, slots=True)
class TurnInterrupted:
    """The answer was cut off."""

    turn_id: str
    text: str
    """What the transcript keeps of it."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The turn failed and is over; the session lives on. `SessionError` on the wire."""

    turn_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class ContextTrimmed:
    """The conversation outgrew the context; comes before the turn that needed the room starts."""

    turn_id: str
    dropped: tuple[TranscriptEntry, ...]
    """The forgotten lines, oldest first."""


@dataclass(frozen=True, slots=True)
class Notified:
    """An event in the world reached the character's transcript."""

    text: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Lines that nobody generated reached the character's transcript."""

    lines: tuple[TranscriptEntry, ...]
    """As the transcript has them."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Answers were cut off, as asked."""

    turn_ids: tuple[str, ...]
    """Oldest first. A turn that had ended already sends no `TurnInterrupted`."""


@dataclass(frozen=True, slots=True)
class PriorityUpdated:
    """The priority has changed."""

    priority: int


TurnEnd = TurnFinished | TurnInterrupted | TurnFailed
TurnEvent = (
    ContextTrimmed
    | TurnStarted
    | TextDelta
    | DirectionGiven
    | SentenceCompleted
    | ActionRequested
    | ActionSettled
    | TurnEnd
)
SessionEvent = SessionOpened | TurnEvent | Notified | Recorded | Interrupted | PriorityUpdated
