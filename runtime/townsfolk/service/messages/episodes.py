"""Episodes: what they are opened with, and what was played."""

from __future__ import annotations

import json
import math

from townsfolk.dialogue.episode import Act, EpisodeConfig, Observation, RecordedText, Trajectory
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.messages.sampling import grammar_message
from townsfolk.service.messages.sessions import session_config
from townsfolk.v1 import episode_pb2 as pb

MAX_TAKEN = 1024
MAX_WAIT_MS = 60_000
# Of 12 bytes at most: 24 MiB, where most are of prompts and take 2.
MAX_TAKEN_TOKENS = 2 * 1024 * 1024


def episode_config(message: pb.EpisodeConfig) -> EpisodeConfig:
    """Return what an episode is opened with, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
        InvalidRequestError: As above, for an enum.
    """
    return EpisodeConfig.checked(
        episode_id=message.episode_id,
        task=message.task,
        group=message.group,
        session=session_config(message.session),
        speech_tokens=message.speech_tokens,
    )


def observation(message: pb.Observation) -> Observation:
    """Return what a character learns before it acts, checked.

    Raises:
        InvalidFieldError: A field's value is not allowed; the message names it.
    """
    return Observation.checked(
        text=message.text, speaker=message.speaker, actions=tuple(message.actions)
    )


def wanted(message: pb.TakeEpisodesRequest) -> tuple[int, float]:
    """Return how many episodes are wanted at most, and how many seconds to wait for the first.

    Raises:
        InvalidRequestError: A field's value is not allowed; the message names it.
    """
    if not message.task:
        raise InvalidRequestError("task: is empty (allowed: that of the episodes)")
    if not 0 <= message.most <= MAX_TAKEN:
        raise InvalidRequestError(f"most: is {message.most} (allowed: 0 to {MAX_TAKEN})")
    if not 0 <= message.wait_ms <= MAX_WAIT_MS:
        raise InvalidRequestError(f"wait_ms: is {message.wait_ms} (allowed: 0 to {MAX_WAIT_MS})")
    return message.most or 64, message.wait_ms / 1000


def act_message(act: Act) -> pb.EpisodeAct:
    """Return what a character did."""
    seen = act.observation
    return pb.EpisodeAct(
        number=act.number,
        action=act.action,
        arguments_json=json.dumps(act.arguments, ensure_ascii=False),
        speech=act.speech,
        drawn=map(_drawn_message, act.drawn),
        observation=pb.Observation(text=seen.text, speaker=seen.speaker, actions=seen.actions),
        reward=act.reward,
    )


def trajectory_message(played: Trajectory) -> pb.Trajectory:
    """Return an episode as it was played."""
    return pb.Trajectory(
        episode_id=played.episode_id,
        task=played.task,
        group=played.group,
        adapter=played.adapter,
        acts=map(act_message, played.acts),
        reward=played.reward,
        truncated=played.truncated,
    )


def _drawn_message(drawn: RecordedText) -> pb.DrawnText:
    message = pb.DrawnText(prompt_ids=drawn.prompt_ids, temperature=drawn.temperature)
    for token_id, logprob in zip(drawn.token_ids, drawn.logprobs, strict=True):
        token = message.tokens.add()
        token.token_id = token_id
        if not math.isnan(logprob):
            token.logprob = logprob
    if drawn.grammar is not None:
        message.grammar.CopyFrom(grammar_message(drawn.grammar))
    return message
