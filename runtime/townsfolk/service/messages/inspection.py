"""How a session went, for debuggers."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Sequence

from townsfolk.dialogue.session import Session
from townsfolk.dialogue.turn_log import ErrorRecord, TurnRecord, TurnState
from townsfolk.service.errors import status_of_kind
from townsfolk.service.messages.sampling import FINISH_REASONS, usage_message
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import townsfolk_pb2 as pb

_STATES = {
    TurnState.ANSWERING: pb.TURN_STATE_ANSWERING,
    TurnState.FINISHED: pb.TURN_STATE_FINISHED,
    TurnState.INTERRUPTED: pb.TURN_STATE_INTERRUPTED,
    TurnState.FAILED: pb.TURN_STATE_FAILED,
}


def session_message(session: Session) -> pb.InspectSessionResponse:
    """Return how a session's last turns went, without its prompt. In the event loop."""
    now, wall = asyncio.get_running_loop().time(), time.time()
    return pb.InspectSessionResponse(
        turns=[_turn(record, now, wall) for record in session.turn_log.turns],
        errors=map(error_message, session.turn_log.errors),
        queued_turns=session.queued_turns,
        system_tokens=session.system_tokens,
    )


def prompt_message(
    turn: TurnRecord, token_ids: Sequence[int], tokenizer: Tokenizer
) -> pb.PromptReport:
    """Return a prompt as the model saw it; in any thread, as it takes a while."""
    cached = None if turn.usage is None else turn.usage.cached_tokens
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [
        decoder.decode(b"".join(map(tokenizer.token_bytes, ids)), final)
        for ids, final in ((token_ids[: cached or 0], False), (token_ids[cached or 0 :], True))
    ]
    return pb.PromptReport(
        turn_id=turn.turn_id,
        token_ids=token_ids,
        cached_tokens=cached,
        cached_text=texts[0],
        computed_text=texts[1],
    )


def error_message(record: ErrorRecord) -> pb.ErrorReport:
    """Return something that failed."""
    code, message = status_of_kind(record.kind, record.message)
    return pb.ErrorReport(
        unix_ms=round(record.time * 1000),
        code=code.name,
        message=message,
        method=record.method,
        session_id=record.session_id,
        turn_id=record.turn_id,
    )


def _turn(record: TurnRecord, now: float, wall: float) -> pb.TurnReport:
    ended = now if record.ended_at is None else record.ended_at
    encoded = ended if record.prompt_at is None else record.prompt_at
    reason = record.finish_reason if record.state is TurnState.FINISHED else None
    return pb.TurnReport(
        turn_id=record.turn_id,
        state=_STATES[record.state],
        asked_unix_ms=round((wall - now + record.asked_at) * 1000),
        queued_ms=(record.begun_at - record.asked_at) * 1000,
        prompt_ms=(encoded - record.begun_at) * 1000,
        total_ms=(ended - record.asked_at) * 1000,
        usage=None if record.usage is None else usage_message(record.usage),
        finish_reason=None if reason is None else FINISH_REASONS[reason],
        retries=record.retries,
    )
