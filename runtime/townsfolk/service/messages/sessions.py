"""Sessions: what they are opened with, and what a saved game keeps of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from townsfolk.dialogue.actions import Action, ParameterType
from townsfolk.dialogue.config import OverflowPolicy, SessionConfig
from townsfolk.dialogue.lore import Lore
from townsfolk.dialogue.script import ScriptLines
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.messages.contrast import contrast_fields, contrast_message
from townsfolk.service.messages.sampling import hesitation, sampling_fields, sampling_message
from townsfolk.service.messages.speech import speech_fields, speech_message
from townsfolk.v1 import dialogue_pb2, townsfolk_pb2

_ENTRY_KINDS: Mapping[EntryKind, dialogue_pb2.EntryKind] = {
    EntryKind.HEARD: dialogue_pb2.ENTRY_KIND_HEARD,
    EntryKind.SPOKE: dialogue_pb2.ENTRY_KIND_SPOKE,
    EntryKind.EVENT: dialogue_pb2.ENTRY_KIND_EVENT,
}
_KINDS_OF_ENTRIES = {number: kind for kind, number in _ENTRY_KINDS.items()}
_PARAMETER_TYPES: Mapping[int, ParameterType] = {
    dialogue_pb2.PARAMETER_TYPE_UNSPECIFIED: ParameterType.STRING,
    dialogue_pb2.PARAMETER_TYPE_STRING: ParameterType.STRING,
    dialogue_pb2.PARAMETER_TYPE_INTEGER: ParameterType.INTEGER,
    dialogue_pb2.PARAMETER_TYPE_NUMBER: ParameterType.NUMBER,
    dialogue_pb2.PARAMETER_TYPE_BOOLEAN: ParameterType.BOOLEAN,
}
_OVERFLOW_POLICIES: Mapping[int, OverflowPolicy] = {
    dialogue_pb2.OVERFLOW_POLICY_UNSPECIFIED: OverflowPolicy.DROP_OLDEST,
    dialogue_pb2.OVERFLOW_POLICY_DROP_OLDEST: OverflowPolicy.DROP_OLDEST,
}


def session_config(message: dialogue_pb2.SessionConfig) -> SessionConfig:
    """Return what a session is opened with, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidRequestError: As above, for an enum.
    """
    if message.overflow_policy not in _OVERFLOW_POLICIES:
        raise InvalidRequestError(
            f"overflow_policy: is {message.overflow_policy} "
            "(allowed: OVERFLOW_POLICY_DROP_OLDEST or none)"
        )
    persona = message.persona
    return SessionConfig.checked(
        session_id=message.session_id,
        persona={
            "name": persona.name,
            "description": persona.description,
            "goals": tuple(persona.goals),
            "speaking_style": persona.speaking_style,
            "taboos": tuple(persona.taboos),
            "example_lines": tuple(persona.example_lines),
        },
        lore_ids=tuple(message.lore_ids),
        sampling=sampling_fields(message.sampling),
        priority=message.priority,
        history=_entries_fields("history", message.history),
        overflow_policy=_OVERFLOW_POLICIES[message.overflow_policy],
        actions=tuple(_action_fields(index, each) for index, each in enumerate(message.actions)),
        hesitation_entropy=hesitation(message),
        speech=speech_fields(message.speech),
        contrast=contrast_fields(message),
        adapter=message.adapter,
        off_the_record=message.off_the_record,
    )


def session_config_message(config: SessionConfig) -> dialogue_pb2.SessionConfig:
    """Return what a saved game keeps of a session."""
    persona = config.persona
    return dialogue_pb2.SessionConfig(
        session_id=config.session_id,
        persona=dialogue_pb2.Persona(
            name=persona.name,
            description=persona.description,
            goals=persona.goals,
            speaking_style=persona.speaking_style,
            taboos=persona.taboos,
            example_lines=persona.example_lines,
        ),
        lore_ids=config.lore_ids,
        sampling=sampling_message(config.sampling),
        priority=config.priority,
        history=map(entry_message, config.history),
        overflow_policy=dialogue_pb2.OVERFLOW_POLICY_DROP_OLDEST,
        actions=map(_action_message, config.actions),
        hesitation_entropy=config.hesitation_entropy,
        speech=speech_message(config.speech),
        contrast=contrast_message(config.contrast),
        adapter=config.adapter,
        off_the_record=config.off_the_record,
    )


def entry_message(entry: TranscriptEntry) -> dialogue_pb2.TranscriptEntry:
    """Return a line of a transcript."""
    return dialogue_pb2.TranscriptEntry(
        kind=_ENTRY_KINDS[entry.kind],
        speaker=entry.speaker,
        text=entry.text,
        cut=entry.cut,
        turn_id=entry.turn_id,
    )


def checked_lore(message: dialogue_pb2.Lore) -> Lore:
    """Return lore, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
    """
    return Lore.checked(lore_id=message.lore_id, text=message.text)


def summary_message(session: Session) -> townsfolk_pb2.SessionSummary:
    """Return one session for a list."""
    return townsfolk_pb2.SessionSummary(
        session_id=session.id,
        persona_name=session.name,
        priority=session.priority,
        transcript_entries=session.lines,
        speaking=bool(session.current_turn_id),
    )


def script_lines(message: townsfolk_pb2.RecordedLines) -> ScriptLines:
    """Return what a script has spoken, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidRequestError: As above, for an enum.
    """
    return ScriptLines.checked(lines=_entries_fields("lines", message.lines))


def _entries_fields(
    field: str, messages: Iterable[dialogue_pb2.TranscriptEntry]
) -> tuple[dict[str, Any], ...]:
    return tuple(_entry_fields(f"{field}.{n}", entry) for n, entry in enumerate(messages))


def _entry_fields(where: str, message: dialogue_pb2.TranscriptEntry) -> dict[str, Any]:
    if message.kind not in _KINDS_OF_ENTRIES:
        raise InvalidRequestError(
            f"{where}.kind: is {message.kind} "
            "(allowed: ENTRY_KIND_HEARD, ENTRY_KIND_SPOKE, ENTRY_KIND_EVENT)"
        )
    return {
        "kind": _KINDS_OF_ENTRIES[message.kind],
        "speaker": message.speaker,
        "text": message.text,
        "cut": message.cut,
        "turn_id": message.turn_id,
    }


def _action_fields(index: int, message: dialogue_pb2.ActionSpec) -> dict[str, Any]:
    for number, parameter in enumerate(message.parameters):
        if parameter.type not in _PARAMETER_TYPES:
            raise InvalidRequestError(
                f"actions.{index}.parameters.{number}.type: is {parameter.type}, which is none"
            )
    return {
        "name": message.name,
        "description": message.description,
        "json_schema": message.json_schema,
        "condition": message.condition,
        "parameters": tuple(
            {
                "name": each.name,
                "description": each.description,
                "type": _PARAMETER_TYPES[each.type],
                "options": tuple(each.options),
                "minimum": each.minimum if each.HasField("minimum") else None,
                "maximum": each.maximum if each.HasField("maximum") else None,
                "optional": each.optional,
            }
            for each in message.parameters
        ),
    }


def _action_message(action: Action) -> dialogue_pb2.ActionSpec:
    types = {kind: number for number, kind in _PARAMETER_TYPES.items() if number}
    return dialogue_pb2.ActionSpec(
        name=action.name,
        description=action.description,
        json_schema=action.json_schema,
        condition=action.condition,
        parameters=[
            dialogue_pb2.ActionParameter(**(each.model_dump() | {"type": types[each.type]}))
            for each in action.parameters
        ],
    )
