"""Between the contract's messages and the rooms' own values; nothing is lost either way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.engine.outputs import FinishReason, TokenInfo, Usage
from townsfolk.service.errors import InvalidRequestError
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import dialogue_pb2, sampling_pb2

FINISH_REASONS: Mapping[FinishReason, sampling_pb2.FinishReason] = {
    FinishReason.END: sampling_pb2.FINISH_REASON_END,
    FinishReason.STOP: sampling_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: sampling_pb2.FINISH_REASON_LENGTH,
    FinishReason.INTERRUPTED: sampling_pb2.FINISH_REASON_INTERRUPTED,
    FinishReason.DEADLINE: sampling_pb2.FINISH_REASON_DEADLINE,
}
_ENTRY_KINDS: Mapping[EntryKind, dialogue_pb2.EntryKind] = {
    EntryKind.HEARD: dialogue_pb2.ENTRY_KIND_HEARD,
    EntryKind.SPOKE: dialogue_pb2.ENTRY_KIND_SPOKE,
    EntryKind.EVENT: dialogue_pb2.ENTRY_KIND_EVENT,
}
_KINDS_OF_ENTRIES = {number: kind for kind, number in _ENTRY_KINDS.items()}


def sampling_fields(message: sampling_pb2.SamplingParams) -> dict[str, Any]:
    """Return the fields that are set, by their names in SamplingParams."""
    fields: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        match descriptor.name:
            case "logit_bias":
                fields["logit_bias"] = {token: _widened(bias) for token, bias in value.items()}
            case "stop" | "stop_token_ids":
                fields[descriptor.name] = tuple(value)
            case name:
                fields[name] = _widened(value) if isinstance(value, float) else value
    return fields


def _widened(value: float) -> float:
    """Return the shortest decimal that is this float32: the 0.8 that the caller wrote."""
    return float(str(np.float32(value)))


def sampling_message(fields: Mapping[str, Any]) -> sampling_pb2.SamplingParams:
    """Return the message with these fields set."""
    return sampling_pb2.SamplingParams(**fields)


def token_messages(infos: Iterable[TokenInfo], tokenizer: Tokenizer) -> list[sampling_pb2.Token]:
    """Return tokens with their bytes and, where they were asked for, log-probabilities."""

    def message(token_id: int, logprob: float | None) -> sampling_pb2.TokenLogprob:
        return sampling_pb2.TokenLogprob(
            token_id=token_id, logprob=logprob or 0.0, token_bytes=tokenizer.token_bytes(token_id)
        )

    return [
        sampling_pb2.Token(
            token=message(info.token_id, info.logprob),
            top=[message(token_id, logprob) for token_id, logprob in info.top],
        )
        for info in infos
    ]


def usage_message(usage: Usage) -> sampling_pb2.Usage:
    """Return what a reply cost."""
    return sampling_pb2.Usage(
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        generated_tokens=usage.generated_tokens,
        time_to_first_token_ms=usage.time_to_first_token_ms,
        tokens_per_second=usage.tokens_per_second,
        seed=usage.seed,
    )


def persona_fields(message: dialogue_pb2.Persona) -> dict[str, Any]:
    """Return a persona's fields, to be checked with the rest of its session."""
    return {
        "name": message.name,
        "description": message.description,
        "goals": tuple(message.goals),
        "speaking_style": message.speaking_style,
        "taboos": tuple(message.taboos),
        "example_lines": tuple(message.example_lines),
    }


def persona_message(persona: Persona) -> dialogue_pb2.Persona:
    """Return who a character is."""
    return dialogue_pb2.Persona(
        name=persona.name,
        description=persona.description,
        goals=persona.goals,
        speaking_style=persona.speaking_style,
        taboos=persona.taboos,
        example_lines=persona.example_lines,
    )


def entry_fields(message: dialogue_pb2.TranscriptEntry) -> dict[str, Any]:
    """Return a transcript line's fields, to be checked with the rest of its session."""
    if message.kind not in _KINDS_OF_ENTRIES:
        raise InvalidRequestError(
            f"history: kind is {message.kind}; send ENTRY_KIND_HEARD, _SPOKE or _EVENT"
        )
    return {
        "kind": _KINDS_OF_ENTRIES[message.kind],
        "speaker": message.speaker,
        "text": message.text,
        "cut": message.cut,
        "turn_id": message.turn_id,
    }


def entry_message(entry: TranscriptEntry) -> dialogue_pb2.TranscriptEntry:
    """Return a line of a transcript."""
    return dialogue_pb2.TranscriptEntry(
        kind=_ENTRY_KINDS[entry.kind],
        speaker=entry.speaker,
        text=entry.text,
        cut=entry.cut,
        turn_id=entry.turn_id,
    )
