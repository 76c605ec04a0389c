"""Episodes: a character plays, is rewarded, and all that it draws is recorded."""

import json
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from townsfolk.dialogue.actions import MAX_ACTIONS, ActionsNow, Outcome
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.drawn import DrawnText
from townsfolk.dialogue.errors import InvalidFieldError, LimitReachedError, NotNowError
from townsfolk.dialogue.events import ActionRequested, TurnFailed
from townsfolk.dialogue.limits import MAX_EVENT_CHARACTERS
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Line
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.turn import TurnCue, Utterance
from townsfolk.grammar import Grammar

MAX_ACTS = 256
MAX_SPEECH_TOKENS = 256
_MAY_SET = {"temperature", "seed"}
# Every token is drawn from all that are possible, by what the model makes of them: so its
# log-probability is a function of the model alone, whose gradient can be taken.
_WHOLE = SamplingOverrides(
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    min_p=0.0,
    repetition_penalty=1.0,
    presence_penalty=0.0,
    frequency_penalty=0.0,
    dry_multiplier=0.0,
    no_repeat_tokens=0,
    stop_repetition=False,
    retry_repetition=False,
)
# Apart by a number that has no short period with 2**64, so that no two acts draw alike.
_STRIDE = 0x9E3779B97F4A7C15


class EpisodeConfig(Outside):
    """What an episode is opened with."""

    episode_id: str = Field(default="", max_length=128, description="at most 128 characters")
    task: str = Field(min_length=1, max_length=128, description="1 to 128 characters")
    group: str = Field(default="", max_length=128, description="at most 128 characters")
    session: SessionConfig
    speech_tokens: int = Field(
        default=0, ge=0, le=MAX_SPEECH_TOKENS, description=f"0 to {MAX_SPEECH_TOKENS}"
    )

    @model_validator(mode="after")
    def _draws_from_all(self) -> Self:
        given = {name for name, value in self.session.sampling if value not in (None, (), {})}
        if others := sorted(given - _MAY_SET):
            raise ValueError(
                f"session.sampling.{others[0]}: an episode draws each token from all that are "
                "possible: leave out all but temperature and seed"
            )
        if self.session.contrast is not None:
            raise ValueError("session.contrast: an episode draws in contrast to nothing")
        if not self.session.actions:
            raise ValueError("session.actions: has none, and to act is to take one")
        if self.session.session_id not in ("", self.episode_id):
            raise ValueError("session.session_id: is another than episode_id: leave it out")
        return self

    @property
    def of_session(self) -> SessionConfig:
        """The session that the episode is."""
        own = self.session.sampling
        set_here = {name: getattr(own, name) for name in _MAY_SET if getattr(own, name) is not None}
        sampling = _WHOLE.model_copy(
            update={"max_new_tokens": max(self.speech_tokens, 1), **set_here}
        )
        # Whoever learns from it takes it as an episode.
        update = {"session_id": self.episode_id, "sampling": sampling, "off_the_record": True}
        return self.session.model_copy(update=update)


class Observation(Outside):
    """What a character learns before it acts."""

    text: str
    speaker: Line = Field(default="", max_length=64, description="at most 64 characters, one line")
    actions: tuple[str, ...] = Field(
        default=(), max_length=MAX_ACTIONS, description=f"at most {MAX_ACTIONS} names"
    )

    @field_validator("text")
    @classmethod
    def _is_a_line(cls, text: str) -> str:
        if not text.strip() or len(text) > MAX_EVENT_CHARACTERS:
            raise ValueError(
                f"has {len(text.strip())} characters (allowed: 1 to {MAX_EVENT_CHARACTERS})"
            )
        return text


@dataclass(frozen=True, slots=True)
class RecordedText:
    """What was drawn in one piece, in little memory; see `DrawnText`.

    Attributes:
        prompt_ids: what it stands behind.
        token_ids: what was drawn.
        logprobs: of each in what it was drawn from; NaN where there was no draw.
        grammar: what it had to be.
        temperature: that it was drawn at.
    """

    prompt_ids: "array[int]"
    token_ids: "array[int]"
    logprobs: "array[float]"
    grammar: Grammar | None
    temperature: float

    @classmethod
    def of(cls, drawn: DrawnText) -> Self:
        """Keep what was drawn."""
        logprobs = (each.drawn_logprob for each in drawn.tokens)
        return cls(
            array("i", drawn.prompt_ids),
            array("i", (each.token_id for each in drawn.tokens)),
            array("f", (math.nan if each is None else each for each in logprobs)),
            drawn.grammar,
            drawn.temperature,
        )

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.token_ids)


@dataclass(slots=True)
class Act:
    """What a character did.

    Attributes:
        number: from 0 within the episode.
        observation: what it was told before.
        action: the name of the action.
        arguments: the action's.
        speech: what it said before.
        drawn: how all that was drawn.
        reward: what it was rewarded with until the next.
    """

    number: int
    observation: Observation
    action: str
    arguments: Mapping[str, Any]
    speech: str
    drawn: tuple[RecordedText, ...]
    reward: float = 0.0

    @property
    def tokens(self) -> int:
        """How many tokens are kept of it."""
        return sum(map(len, self.drawn))


@dataclass(slots=True)
class Trajectory:
    """An episode as it was played.

    Attributes:
        episode_id: which it was.
        task: what was played.
        group: what it is compared with.
        adapter: that the character had.
        acts: what it did.
        truncated: whether it was broken off.
    """

    episode_id: str
    task: str
    group: str
    adapter: str
    acts: list[Act] = field(default_factory=list)
    truncated: bool = False

    @property
    def reward(self) -> float:
        """All rewards together."""
        return math.fsum(act.reward for act in self.acts)

    @property
    def tokens(self) -> int:
        """How many tokens are kept of it."""
        return sum(act.tokens for act in self.acts)


class Episode:
    """A session whose character plays. All methods belong to its event loop."""

    def __init__(self, config: EpisodeConfig, session: Session) -> None:
        """Made by `Episodes.open`."""
        self.session = session
        self.played = Trajectory(session.id, config.task, config.group, config.session.adapter)
        self._is_silent = config.speech_tokens == 0
        self._seed = config.session.sampling.seed
        self._acting = False

    async def act(self, observation: Observation) -> Act:
        """Have the character act; whoever leaves before it has cuts it off.

        Raises:
            NotNowError: It is acting already.
            LimitReachedError: It has acted as often as it may, or there was no room to act.
            DialogueError: It can't; see `Session.say`.
            EngineError: The model failed.
        """
        if self._acting:
            raise NotNowError("this episode's character is acting: wait for that act")
        number = len(self.played.acts)
        if number >= MAX_ACTS:
            raise LimitReachedError(f"this episode has {MAX_ACTS} acts, the most: end it")
        self._acting = True
        try:
            with self.session.held():
                act = await self._act(number, observation)
        finally:
            self._acting = False
        self.played.acts.append(act)
        return act

    async def _act(self, number: int, observation: Observation) -> Act:
        sampling = SamplingOverrides()
        if self._seed is not None:
            sampling = SamplingOverrides(seed=(self._seed + number * _STRIDE) % 2**64)
        names = observation.actions or None
        turn = self.session.say(
            Utterance.checked(
                cue=TurnCue.SAID if observation.speaker else TurnCue.EVENT,
                text=observation.text,
                speaker=observation.speaker,
                sampling=sampling,
                actions=ActionsNow(names=names, required=True, silent=self._is_silent),
            ),
            records=True,
        )
        asked: ActionRequested | None = None
        async for event in turn:
            match event:
                case ActionRequested():
                    asked = event
                    self.session.answer_action(event.action_id, Outcome(True, ""))
                case TurnFailed():
                    raise event.error
                case _:
                    pass
        if asked is None:
            raise LimitReachedError(
                "the character did not come to act: the conversation leaves no room, or it was "
                "interrupted"
            )
        assert turn.draws is not None
        drawn = tuple(map(RecordedText.of, turn.draws))
        arguments = json.loads(asked.arguments_json)
        return Act(number, observation, asked.name, arguments, turn.text, drawn)

    def reward(self, value: float) -> None:
        """Reward the last act, besides what it was rewarded with before.

        Raises:
            InvalidFieldError: The value is not finite.
            NotNowError: There is no act yet, or one is under way.
        """
        if not math.isfinite(value):
            raise InvalidFieldError(f"value: is {value}, but must be a finite number")
        if self._acting or not self.played.acts:
            raise NotNowError("a reward is for an act that is done: there is none yet")
        self.played.acts[-1].reward += value

    def check_over(self) -> None:
        """Raise NotNowError while the character acts."""
        if self._acting:
            raise NotNowError("this episode's character is acting: wait for that act")

    def __iter__(self) -> Iterator[Act]:
        return iter(self.played.acts)
