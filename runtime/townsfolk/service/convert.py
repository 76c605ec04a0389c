"""Between the contract's messages and the rooms' own values; nothing is lost either way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from townsfolk.dialogue import events
from townsfolk.dialogue.actions import Action, Outcome, ParameterType, Placement
from townsfolk.dialogue.choice import Choice, Question, Score
from townsfolk.dialogue.confidence import Confidence
from townsfolk.dialogue.config import OverflowPolicy, SessionConfig
from townsfolk.dialogue.lore import Lore
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.dialogue.turn import Utterance
from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta, TokenInfo, Usage
from townsfolk.engine.stats import EngineStats, ModelState
from townsfolk.grammar import Grammar, GrammarKind
from townsfolk.service.errors import InvalidRequestError, event_code_of
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import dialogue_pb2, sampling_pb2, townsfolk_pb2

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
MODEL_STATES: Mapping[ModelState, townsfolk_pb2.ModelState] = {
    ModelState.LOADED: townsfolk_pb2.MODEL_STATE_LOADED,
    ModelState.RELEASED: townsfolk_pb2.MODEL_STATE_RELEASED,
    ModelState.LOADING: townsfolk_pb2.MODEL_STATE_LOADING,
}
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
_PLACEMENTS: Mapping[int, Placement] = {
    dialogue_pb2.ACTION_PLACEMENT_UNSPECIFIED: Placement.AFTER,
    dialogue_pb2.ACTION_PLACEMENT_AFTER: Placement.AFTER,
    dialogue_pb2.ACTION_PLACEMENT_BETWEEN: Placement.BETWEEN,
}
_SCORES: Mapping[int, Score] = {
    townsfolk_pb2.CHOICE_SCORE_UNSPECIFIED: Score.TOTAL,
    townsfolk_pb2.CHOICE_SCORE_TOTAL: Score.TOTAL,
    townsfolk_pb2.CHOICE_SCORE_PER_TOKEN: Score.PER_TOKEN,
}
_OVERFLOW_POLICIES: Mapping[int, OverflowPolicy] = {
    dialogue_pb2.OVERFLOW_POLICY_UNSPECIFIED: OverflowPolicy.DROP_OLDEST,
    dialogue_pb2.OVERFLOW_POLICY_DROP_OLDEST: OverflowPolicy.DROP_OLDEST,
}


def sampling_fields(message: sampling_pb2.SamplingParams) -> dict[str, Any]:
    """Return the fields that are set, by their names, to be checked with what they belong to."""
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
        history=tuple(_entry_fields(index, entry) for index, entry in enumerate(message.history)),
        overflow_policy=_OVERFLOW_POLICIES[message.overflow_policy],
        actions=tuple(_action_fields(index, each) for index, each in enumerate(message.actions)),
        hesitation_entropy=_hesitation(message),
    )


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
    }


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


def _entry_fields(index: int, message: dialogue_pb2.TranscriptEntry) -> dict[str, Any]:
    if message.kind not in _KINDS_OF_ENTRIES:
        raise InvalidRequestError(
            f"history.{index}.kind: is {message.kind} "
            "(allowed: ENTRY_KIND_HEARD, ENTRY_KIND_SPOKE, ENTRY_KIND_EVENT)"
        )
    return {
        "kind": _KINDS_OF_ENTRIES[message.kind],
        "speaker": message.speaker,
        "text": message.text,
        "cut": message.cut,
        "turn_id": message.turn_id,
    }


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


def utterance(message: dialogue_pb2.Utterance) -> Utterance:
    """Return what somebody says, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidGrammarError: As above, for what the answer must be.
    """
    return Utterance.checked(
        text=message.text,
        speaker=message.speaker,
        turn_id=message.turn_id,
        sampling=sampling_fields(message.sampling),
        deadline_ms=message.deadline_ms,
        grammar=grammar(message.grammar),
        hesitation_entropy=_hesitation(message),
        actions=_actions_now(message),
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


def question(message: townsfolk_pb2.ChooseRequest) -> Question:
    """Return what there is to choose from, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidRequestError: As above, for an enum.
    """
    if message.score not in _SCORES:
        raise InvalidRequestError(
            f"score: is {message.score} (allowed: CHOICE_SCORE_TOTAL, CHOICE_SCORE_PER_TOKEN)"
        )
    fields: dict[str, Any] = {}
    if message.HasField("temperature"):
        fields["temperature"] = _widened(message.temperature)
    return Question.checked(
        options=tuple(message.options),
        score=_SCORES[message.score],
        draw=message.draw,
        seed=message.seed if message.HasField("seed") else None,
        **fields,
    )


def asked(message: townsfolk_pb2.ChooseRequest) -> Utterance | None:
    """Return what is said to a character before it chooses, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidRequestError: A field is set that means nothing here.
    """
    if not message.HasField("utterance"):
        return None
    for field, _ in message.utterance.ListFields():
        if field.name not in ("text", "speaker", "turn_id"):
            raise InvalidRequestError(f"utterance.{field.name}: means nothing where one chooses")
    return utterance(message.utterance)


def choice_message(choice: Choice) -> townsfolk_pb2.ChooseResponse:
    """Return what was chosen."""
    return townsfolk_pb2.ChooseResponse(
        chosen=choice.chosen,
        options=[townsfolk_pb2.ScoredOption(**asdict(each)) for each in choice.options],
        seed=choice.seed,
        prompt_tokens=choice.prompt_tokens,
        cached_tokens=choice.cached_tokens,
        turn_id=choice.turn_id,
    )


def lore(message: dialogue_pb2.Lore) -> Lore:
    """Return lore, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
    """
    return Lore.checked(lore_id=message.lore_id, text=message.text)


def opened_message(event: events.SessionOpened) -> dialogue_pb2.SessionOpened:
    """Return that a session exists."""
    return dialogue_pb2.SessionOpened(
        session_id=event.session_id,
        resumed=event.resumed,
        system_tokens=event.system_tokens,
        context_tokens=event.context_tokens,
    )


def error_message(error: Exception, turn_id: str = "") -> dialogue_pb2.SessionEvent:
    """Return the event of a failure that the session survives."""
    code, text = event_code_of(error)
    failure = dialogue_pb2.SessionError(code=code, message=text, turn_id=turn_id)
    return dialogue_pb2.SessionEvent(error=failure)


def event_message(event: events.SessionEvent, tokenizer: Tokenizer) -> dialogue_pb2.SessionEvent:
    """Return what happened in a session."""
    pb = dialogue_pb2
    match event:
        case events.SessionOpened():
            return pb.SessionEvent(opened=opened_message(event))
        case events.TurnStarted():
            return pb.SessionEvent(turn_started=pb.TurnStarted(turn_id=event.turn_id))
        case events.TextDelta():
            message = pb.SessionEvent()
            delta = message.text_delta
            delta.turn_id, delta.text = event.turn_id, event.text
            add_tokens(delta.tokens, event.tokens, tokenizer)
            return message
        case events.SentenceCompleted():
            sentence = pb.SentenceCompleted(
                turn_id=event.turn_id,
                index=event.index,
                text=event.text,
                confidence=_confidence(event.confidence),
            )
            return pb.SessionEvent(sentence_completed=sentence)
        case events.ActionRequested():
            return pb.SessionEvent(action_requested=pb.ActionRequested(**asdict(event)))
        case events.ActionSettled():
            return pb.SessionEvent(action_settled=pb.ActionSettled(**asdict(event)))
        case events.TurnFinished():
            finished = pb.TurnFinished(
                turn_id=event.turn_id,
                text=event.text,
                finish_reason=FINISH_REASONS[event.finish_reason],
                usage=usage_message(event.usage),
            )
            return pb.SessionEvent(turn_finished=finished)
        case events.TurnInterrupted():
            interrupted = pb.TurnInterrupted(
                turn_id=event.turn_id, text=event.text, usage=usage_message(event.usage)
            )
            return pb.SessionEvent(turn_interrupted=interrupted)
        case events.TurnFailed():
            return error_message(event.error, event.turn_id)
        case events.ContextTrimmed():
            dropped = map(entry_message, event.dropped)
            trimmed = pb.ContextTrimmed(turn_id=event.turn_id, dropped=dropped)
            return pb.SessionEvent(context_trimmed=trimmed)
        case events.Notified():
            return pb.SessionEvent(notified=pb.Notified(text=event.text))
        case events.Interrupted():
            return pb.SessionEvent(interrupted=pb.Interrupted(turn_ids=event.turn_ids))
        case events.PriorityUpdated():
            updated = pb.PriorityUpdated(priority=event.priority)
            return pb.SessionEvent(priority_updated=updated)


def _confidence(value: Confidence | None) -> dialogue_pb2.Confidence | None:
    if value is None:
        return None
    peaks = [dialogue_pb2.EntropyPeak(**asdict(peak)) for peak in value.peaks]
    return dialogue_pb2.Confidence(
        mean_logprob=value.mean_logprob, peaks=peaks, hesitated=value.hesitated
    )


def _hesitation(message: dialogue_pb2.SessionConfig | dialogue_pb2.Utterance) -> float | None:
    return _widened(message.hesitation_entropy) if message.HasField("hesitation_entropy") else None


def interruption(message: townsfolk_pb2.Interrupt) -> tuple[str, int | None]:
    """Return which turn to cut off, and how many characters of it were heard."""
    heard = message.heard_characters if message.HasField("heard_characters") else None
    return message.turn_id, heard


def summary_message(session: Session) -> townsfolk_pb2.SessionSummary:
    """Return one session for a list."""
    return townsfolk_pb2.SessionSummary(
        session_id=session.id,
        persona_name=session.name,
        priority=session.priority,
        transcript_entries=session.lines,
        speaking=bool(session.current_turn_id),
    )


def echo_message(generation: Generation, tokenizer: Tokenizer) -> townsfolk_pb2.GenerateResponse:
    """Return a completion's prompt."""
    message = townsfolk_pb2.GenerateResponse(prompt=townsfolk_pb2.EchoedPrompt())
    add_tokens(message.prompt.tokens, generation.prompt_tokens, tokenizer)
    return message


def text_message(delta: TextDelta, tokenizer: Tokenizer) -> townsfolk_pb2.GenerateResponse:
    """Return more of a completion."""
    message = townsfolk_pb2.GenerateResponse()
    message.text.text = delta.text
    add_tokens(message.text.tokens, delta.tokens, tokenizer)
    return message


def finished_message(completion: Completion) -> townsfolk_pb2.GenerateResponse:
    """Return a completion's end."""
    finished = townsfolk_pb2.GenerationFinished(
        finish_reason=FINISH_REASONS[completion.finish_reason],
        usage=usage_message(completion.usage),
        stop_text=completion.stop_text or "",
    )
    return townsfolk_pb2.GenerateResponse(finished=finished)


def stats_message(stats: EngineStats, sessions: int) -> townsfolk_pb2.WatchStatsResponse:
    """Return the counters; the fields have the engine's names."""
    fields = asdict(stats) | {"model_state": MODEL_STATES[stats.model_state]}
    return townsfolk_pb2.WatchStatsResponse(sessions=sessions, **fields)
