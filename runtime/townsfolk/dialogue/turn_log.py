"""What is kept of a session's last turns, for whoever looks into them."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from townsfolk.dialogue.encoding import EncodedPrompt
from townsfolk.dialogue.turn import Turn
from townsfolk.engine.outputs import Completion, FinishReason, Usage

KEPT = 16
"""Of how many turns, and of how many errors, something is kept."""


class TurnState(Enum):
    """What has become of a turn."""

    ANSWERING = "answering"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(slots=True)
class TurnRecord:
    """How a turn went. Times are seconds on the event loop's clock."""

    turn_id: str
    asked_at: float
    begun_at: float
    prompt_at: float | None = None
    ended_at: float | None = None
    state: TurnState = TurnState.ANSWERING
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """Something that failed: why, where, and when, in seconds since 1970.

    The error itself is not kept: all that it was raised in would be, too.
    """

    kind: type[Exception]
    message: str
    method: str = ""
    session_id: str = ""
    turn_id: str = ""
    time: float = field(default_factory=time.time)

    @classmethod
    def of(
        cls, error: Exception, *, method: str = "", session_id: str = "", turn_id: str = ""
    ) -> Self:
        """Return what is kept of an error."""
        return cls(type(error), str(error), method, session_id, turn_id)


class TurnLog:
    """The last turns of a session, what failed of them, and the newest prompt.

    Nothing is copied: the prompt is the one that the session keeps for its next line.

    Attributes:
        turns: the last that were begun, oldest first.
        errors: the last turns that failed.
        prompt: what the model was told last, and for which turn; None before.
    """

    def __init__(self, session_id: str) -> None:
        """Have nothing yet."""
        self.turns: deque[TurnRecord] = deque(maxlen=KEPT)
        self.errors: deque[ErrorRecord] = deque(maxlen=KEPT)
        self.prompt: tuple[TurnRecord, EncodedPrompt] | None = None
        self._session_id = session_id

    def begin(self, turn: Turn) -> TurnRecord:
        """Note that a turn's answer begins."""
        record = TurnRecord(turn.id, turn.asked_at, asyncio.get_running_loop().time())
        self.turns.append(record)
        return record

    def ask_model(self, record: TurnRecord, prompt: EncodedPrompt) -> None:
        """Note that the prompt of a turn is ready."""
        record.prompt_at = asyncio.get_running_loop().time()
        self.prompt = record, prompt

    def end(self, record: TurnRecord, turn: Turn, completion: Completion | None) -> None:
        """Note that a turn has ended well, or was cut off."""
        record.ended_at = asyncio.get_running_loop().time()
        record.retries = turn.retries
        cut = FinishReason.INTERRUPTED
        record.finish_reason = cut if completion is None else completion.finish_reason
        record.state = TurnState.INTERRUPTED if record.finish_reason is cut else TurnState.FINISHED
        record.usage = None if completion is None else completion.usage

    def fail(self, turn: Turn, error: Exception, record: TurnRecord | None = None) -> None:
        """Note that a turn has failed; one without a record did so while it waited."""
        self.errors.append(ErrorRecord.of(error, session_id=self._session_id, turn_id=turn.id))
        if record is not None:
            record.ended_at = asyncio.get_running_loop().time()
            record.state = TurnState.FAILED
