"""What happens in a session."""

from __future__ import annotations

from dataclasses import asdict

from townsfolk.dialogue import events
from townsfolk.dialogue.confidence import Confidence
from townsfolk.service.errors import event_code_of
from townsfolk.service.messages.sampling import FINISH_REASONS, add_tokens, usage_message
from townsfolk.service.messages.sessions import entry_message
from townsfolk.service.messages.speech import direction_message
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import dialogue_pb2


def write_event(
    message: dialogue_pb2.SessionEvent, event: events.SessionEvent, tokenizer: Tokenizer
) -> None:
    """Write what happened in a session into an empty message.

    Nearly all is text. It is written in its place: one that is made apart is copied into it.
    """
    pb = dialogue_pb2
    match event:
        case events.TextDelta():
            delta = message.text_delta
            delta.turn_id, delta.text = event.turn_id, event.text
            if event.is_direction:
                delta.direction = True
            if event.tokens:
                add_tokens(delta.tokens, event.tokens, tokenizer)
            return
        case events.SessionOpened():
            made = pb.SessionEvent(opened=opened_message(event))
        case events.TurnStarted():
            made = pb.SessionEvent(turn_started=pb.TurnStarted(turn_id=event.turn_id))
        case events.SentenceCompleted():
            sentence = pb.SentenceCompleted(
                turn_id=event.turn_id,
                index=event.index,
                text=event.text,
                confidence=_confidence(event.confidence),
                speaker=event.speaker,
                offset=event.offset,
                length=event.length,
            )
            made = pb.SessionEvent(sentence_completed=sentence)
        case events.DirectionGiven():
            made = pb.SessionEvent(direction_given=direction_message(event))
        case events.ActionRequested():
            made = pb.SessionEvent(action_requested=pb.ActionRequested(**asdict(event)))
        case events.ActionSettled():
            made = pb.SessionEvent(action_settled=pb.ActionSettled(**asdict(event)))
        case events.TurnFinished():
            finished = pb.TurnFinished(
                turn_id=event.turn_id,
                text=event.text,
                finish_reason=FINISH_REASONS[event.finish_reason],
                usage=usage_message(event.usage),
                retries=event.retries,
            )
            made = pb.SessionEvent(turn_finished=finished)
        case events.TurnInterrupted():
            interrupted = pb.TurnInterrupted(
                turn_id=event.turn_id, text=event.text, usage=usage_message(event.usage)
            )
            made = pb.SessionEvent(turn_interrupted=interrupted)
        case events.TurnFailed():
            made = error_message(event.error, event.turn_id)
        case events.ContextTrimmed():
            dropped = map(entry_message, event.dropped)
            trimmed = pb.ContextTrimmed(turn_id=event.turn_id, dropped=dropped)
            made = pb.SessionEvent(context_trimmed=trimmed)
        case events.Notified():
            made = pb.SessionEvent(notified=pb.Notified(text=event.text))
        case events.Recorded():
            made = pb.SessionEvent(recorded=recorded_message(event))
        case events.Interrupted():
            made = pb.SessionEvent(interrupted=pb.Interrupted(turn_ids=event.turn_ids))
        case events.PriorityUpdated():
            updated = pb.PriorityUpdated(priority=event.priority)
            made = pb.SessionEvent(priority_updated=updated)
    message.CopyFrom(made)


def opened_message(event: events.SessionOpened) -> dialogue_pb2.SessionOpened:
    """Return that a session exists."""
    return dialogue_pb2.SessionOpened(
        session_id=event.session_id,
        resumed=event.resumed,
        system_tokens=event.system_tokens,
        context_tokens=event.context_tokens,
    )


def recorded_message(event: events.Recorded) -> dialogue_pb2.Recorded:
    """Return lines that entered a transcript."""
    return dialogue_pb2.Recorded(lines=map(entry_message, event.lines))


def error_message(error: Exception, turn_id: str = "") -> dialogue_pb2.SessionEvent:
    """Return the event of a failure that the session survives."""
    code, text = event_code_of(error)
    failure = dialogue_pb2.SessionError(code=code, message=text, turn_id=turn_id)
    return dialogue_pb2.SessionEvent(error=failure)


def _confidence(value: Confidence | None) -> dialogue_pb2.Confidence | None:
    if value is None:
        return None
    peaks = [dialogue_pb2.EntropyPeak(**asdict(peak)) for peak in value.peaks]
    return dialogue_pb2.Confidence(
        mean_logprob=value.mean_logprob, peaks=peaks, hesitated=value.hesitated
    )
