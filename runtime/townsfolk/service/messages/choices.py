"""Choices among authored texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from townsfolk.dialogue.choice import Choice, Question, Score
from townsfolk.dialogue.turn import Utterance
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.messages.sampling import widened
from townsfolk.service.messages.turns import utterance
from townsfolk.v1 import townsfolk_pb2

_SCORES: Mapping[int, Score] = {
    townsfolk_pb2.CHOICE_SCORE_UNSPECIFIED: Score.TOTAL,
    townsfolk_pb2.CHOICE_SCORE_TOTAL: Score.TOTAL,
    townsfolk_pb2.CHOICE_SCORE_PER_TOKEN: Score.PER_TOKEN,
}


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
        fields["temperature"] = widened(message.temperature)
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
