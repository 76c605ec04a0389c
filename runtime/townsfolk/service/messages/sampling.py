"""Sampling, grammars, tokens and usage, which dialogue and completion share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.engine.outputs import FinishReason, TokenInfo, Usage
from townsfolk.grammar import Grammar, GrammarKind
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import dialogue_pb2, sampling_pb2

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

    Tokens = RepeatedCompositeFieldContainer[sampling_pb2.Token]

FINISH_REASONS: Mapping[FinishReason, sampling_pb2.FinishReason] = {
    FinishReason.END: sampling_pb2.FINISH_REASON_END,
    FinishReason.STOP: sampling_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: sampling_pb2.FINISH_REASON_LENGTH,
    FinishReason.INTERRUPTED: sampling_pb2.FINISH_REASON_INTERRUPTED,
    FinishReason.DEADLINE: sampling_pb2.FINISH_REASON_DEADLINE,
    FinishReason.REPETITION: sampling_pb2.FINISH_REASON_REPETITION,
}


def sampling_fields(message: sampling_pb2.SamplingParams) -> dict[str, Any]:
    """Return the fields that are set, by their names, to be checked with what they belong to."""
    fields: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        match descriptor.name:
            case "logit_bias":
                fields["logit_bias"] = {token: widened(bias) for token, bias in value.items()}
            case "stop" | "stop_token_ids" | "dry_breakers":
                fields[descriptor.name] = tuple(value)
            case name:
                fields[name] = widened(value) if isinstance(value, float) else value
    return fields


def widened(value: float) -> float:
    """Return the shortest decimal that is this float32: the 0.8 that the caller wrote."""
    return float(str(np.float32(value)))


def overrides(message: sampling_pb2.SamplingParams) -> SamplingOverrides:
    """Return sampling settings, checked.

    Raises:
        InvalidFieldError: A value is of the wrong kind.
    """
    return SamplingOverrides.checked(**sampling_fields(message))


def sampling_message(settings: SamplingOverrides) -> sampling_pb2.SamplingParams:
    """Return the settings that are set."""
    return sampling_pb2.SamplingParams(
        **{name: value for name, value in settings if value is not None}
    )


def grammar(message: sampling_pb2.Grammar) -> Grammar | None:
    """Return what a reply must be; None where nothing is asked.

    Raises:
        InvalidGrammarError: It can't be a grammar; the message says why.
    """
    match message.WhichOneof("kind"):
        case None:
            return None
        case "choices":
            return Grammar.choices([*message.choices.options])
        case kind:
            return Grammar(GrammarKind(kind), getattr(message, kind))


def grammar_message(grammar: Grammar) -> sampling_pb2.Grammar:
    """Return what a reply must be."""
    if grammar.kind is GrammarKind.CHOICES:
        options = json.loads(grammar.source)
        return sampling_pb2.Grammar(choices=sampling_pb2.Choices(options=options))
    message = sampling_pb2.Grammar()
    setattr(message, grammar.kind.value, grammar.source)
    return message


def add_tokens(messages: Tokens, infos: Iterable[TokenInfo], tokenizer: Tokenizer) -> None:
    """Append tokens with their bytes and, where they were asked for, log-probabilities.

    Messages are made in their place: one that is made apart is copied into it, five times as slow.
    """

    def fill(message: sampling_pb2.TokenLogprob, token_id: int, logprob: float | None) -> None:
        message.token_id = token_id
        message.token_bytes = tokenizer.token_bytes(token_id)
        if logprob is not None:
            message.logprob = logprob

    for info in infos:
        message = messages.add()
        fill(message.token, info.token_id, info.logprob)
        for token_id, logprob in info.top:
            fill(message.top.add(), token_id, logprob)


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


def hesitation(message: dialogue_pb2.SessionConfig | dialogue_pb2.Utterance) -> float | None:
    """Return from which entropy on a character hesitates; None where nothing is set."""
    return widened(message.hesitation_entropy) if message.HasField("hesitation_entropy") else None
