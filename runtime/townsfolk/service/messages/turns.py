"""Turns: what is said, cut off, and made of an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from townsfolk.dialogue.actions import Outcome, Placement
from townsfolk.dialogue.turn import TurnCue, Utterance
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.messages.sampling import grammar, hesitation, sampling_fields
from townsfolk.v1 import dialogue_pb2, townsfolk_pb2

_PLACEMENTS: Mapping[int, Placement] = {
    dialogue_pb2.ACTION_PLACEMENT_UNSPECIFIED: Placement.AFTER,
    dialogue_pb2.ACTION_PLACEMENT_AFTER: Placement.AFTER,
    dialogue_pb2.ACTION_PLACEMENT_BETWEEN: Placement.BETWEEN,
}


_CUES: Mapping[int, TurnCue] = {
    dialogue_pb2.TURN_CUE_UNSPECIFIED: TurnCue.SAID,
    dialogue_pb2.TURN_CUE_SAID: TurnCue.SAID,
    dialogue_pb2.TURN_CUE_EVENT: TurnCue.EVENT,
    dialogue_pb2.TURN_CUE_NONE: TurnCue.NONE,
}


def utterance(message: dialogue_pb2.Utterance) -> Utterance:
    """Return what has a character speak, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidGrammarError: As above, for what the answer must be.
        InvalidRequestError: As above, for an enum.
    """
    if message.cue not in _CUES:
        raise InvalidRequestError(
            f"cue: is {message.cue} (allowed: TURN_CUE_SAID, TURN_CUE_EVENT, TURN_CUE_NONE)"
        )
    return Utterance.checked(
        cue=_CUES[message.cue],
        text=message.text,
        speaker=message.speaker,
        turn_id=message.turn_id,
        sampling=sampling_fields(message.sampling),
        deadline_ms=message.deadline_ms,
        grammar=grammar(message.grammar),
        hesitation_entropy=hesitation(message),
        actions=_actions_now(message),
    )


def interruption(message: townsfolk_pb2.Interrupt) -> tuple[str, int | None]:
    """Return which turn to cut off, and how many characters of it were heard."""
    heard = message.heard_characters if message.HasField("heard_characters") else None
    return message.turn_id, heard


def outcome(message: townsfolk_pb2.AnswerActionRequest) -> Outcome:
    """Return what the game makes of an action.

    Raises:
        InvalidRequestError: It does not say.
    """
    match message.WhichOneof("outcome"):
        case "accept":
            return Outcome(True, message.accept)
        case "reject":
            return Outcome(False, message.reject)
        case _:
            raise InvalidRequestError("outcome: set accept or reject")


def _actions_now(message: dialogue_pb2.Utterance) -> dict[str, Any]:
    if not message.HasField("actions"):
        return {}
    now = message.actions
    if now.placement not in _PLACEMENTS:
        raise InvalidRequestError(f"actions.placement: is {now.placement}, which is none")
    return {
        "names": tuple(now.names),
        "placement": _PLACEMENTS[now.placement],
        "required": now.required,
        "most": now.most,
        "timeout_ms": now.timeout_ms,
        "silent": now.silent,
    }
