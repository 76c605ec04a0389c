"""Choosing among authored texts by how likely they are."""

import math
import random
import secrets
from dataclasses import dataclass
from enum import Enum

from pydantic import Field, field_validator

from townsfolk.dialogue.outside import Outside
from townsfolk.engine.outputs import Completion

MAX_OPTIONS = 256
MAX_CHARACTERS = 65_536


class Score(Enum):
    """By what options are compared."""

    TOTAL = "total"
    """The log-probability of the whole text."""
    PER_TOKEN = "per_token"
    """The mean log-probability of its tokens."""


class Question(Outside):
    """What there is to choose from, and how."""

    options: tuple[str, ...] = Field(
        min_length=1, max_length=MAX_OPTIONS, description=f"1 to {MAX_OPTIONS} texts, each once"
    )
    score: Score = Score.TOTAL
    draw: bool = False
    temperature: float = Field(default=1.0, gt=0, le=5, description="above 0, at most 5")
    seed: int | None = Field(default=None, ge=0, lt=2**64, description="0 to 2**64 - 1")

    @field_validator("options")
    @classmethod
    def _are_texts(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        if not all(options):
            raise ValueError("one of them is empty")
        if len(set(options)) < len(options):
            raise ValueError("has a text twice")
        characters = sum(map(len, options))
        if characters > MAX_CHARACTERS:
            raise ValueError(f"have {characters} characters, more than {MAX_CHARACTERS}")
        return options


@dataclass(frozen=True, slots=True)
class ScoredOption:
    """How likely one text is; see the contract."""

    text: str
    logprob: float
    logprob_per_token: float
    probability: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        chosen: the number of the text.
        options: all of them.
        seed: of the draw; 0 without one.
        prompt_tokens: of the prompt before the options.
        cached_tokens: how many of them were in the cache.
        turn_id: the turn, when it is remembered.
    """

    chosen: int
    options: tuple[ScoredOption, ...]
    seed: int
    prompt_tokens: int
    cached_tokens: int
    turn_id: str = ""

    @property
    def text(self) -> str:
        """The chosen text."""
        return self.options[self.chosen].text


def decide(question: Question, prompt_tokens: int, scored: list[Completion]) -> Choice:
    """Choose.

    Args:
        question: What there is to choose from.
        prompt_tokens: Of the prompt before the options.
        scored: Log-probabilities of each option's tokens, as `score` gives them.
    """
    logprobs = [[info.logprob or 0.0 for info in completion.prompt_tokens] for completion in scored]
    totals = [math.fsum(each) for each in logprobs]
    means = [total / len(each) for total, each in zip(totals, logprobs, strict=True)]
    scores = totals if question.score is Score.TOTAL else means
    best = max(range(len(scores)), key=scores.__getitem__)
    weights = [math.exp((each - scores[best]) / question.temperature) for each in scores]
    seed, chosen = 0, best
    if question.draw:
        seed = secrets.randbits(64) if question.seed is None else question.seed
        (chosen,) = random.Random(seed).choices(range(len(weights)), weights)
    options = (
        ScoredOption(text, total, mean, weight / math.fsum(weights), len(each))
        for text, total, mean, weight, each in zip(
            question.options, totals, means, weights, logprobs, strict=True
        )
    )
    cached = max(completion.usage.cached_tokens for completion in scored)
    return Choice(chosen, tuple(options), seed, prompt_tokens, min(cached, prompt_tokens))
