"""From what a runtime has recorded to what a gradient is taken of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from townsfolk.grammar import Grammar, GrammarKind, mask_words
from townsfolk.grammar.compiler import GrammarCompiler
from townsfolk.v1.episode_pb2 import DrawnText, Trajectory

Bits = NDArray[np.int32]


class UnusableTrajectoryError(ValueError):
    """What was recorded does not fit the model; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One text that was drawn, and what it is worth.

    Attributes:
        tokens: the prompt and what was drawn, without its last token.
        places: of the tokens behind which there was a draw.
        drawn: the token of each draw.
        logprobs: of each, when it was drawn. [draws], fp32.
        allowed: among which tokens each was drawn, as bits. [draws, words]; None for all.
        temperature: that the logits were divided by.
        advantage: how much better than others like it the episode came out.
        base: log-probabilities of the draws in the base model, once they are known.
    """

    tokens: tuple[int, ...]
    places: NDArray[np.int64]
    drawn: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    allowed: Bits | None
    temperature: float
    advantage: float
    base: NDArray[np.float32] | None = None


def samples(
    trajectories: Sequence[Trajectory],
    advantages: Sequence[float],
    grammars: GrammarCompiler,
    vocab_size: int,
) -> list[Sample]:
    """Return the draws of episodes.

    Args:
        trajectories: The episodes.
        advantages: Of each.
        grammars: For the model's vocabulary.
        vocab_size: Of its logits.

    Raises:
        UnusableTrajectoryError: They are of another model.
    """
    masks = _Masks(grammars, vocab_size)
    found = (
        _sample(text, advantage, masks)
        for played, advantage in zip(trajectories, advantages, strict=True)
        for act in played.acts
        for text in act.drawn
    )
    return [each for each in found if len(each.places)]


def advantages(trajectories: Sequence[Trajectory], *, normalize: bool = True) -> list[float]:
    """Return how much better each episode came out than the others of its group.

    A group's episode is compared with the mean of the others (Kool et al. 2019, the
    leave-one-out baseline of REINFORCE), one without a group with all others. All are divided by
    their standard deviation, of the batch and not of each group: so hard beginnings weigh no more
    than easy ones (Liu et al. 2025, arXiv:2503.20783).
    """
    rewards = [each.reward for each in trajectories]
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(trajectories):
        groups[each.group].append(number)
    found = [0.0] * len(rewards)
    for members in groups.values():
        others = members if len(members) > 1 else [*range(len(rewards))]
        total = math.fsum(rewards[each] for each in others)
        for number in members:
            if len(others) > 1:
                mean = (total - rewards[number]) / (len(others) - 1)
                found[number] = rewards[number] - mean
    if not normalize:
        return found
    deviation = math.hypot(*found) / math.sqrt(max(len(found), 1))
    return [each / deviation for each in found] if deviation > 0 else found


class _Masks:
    """Among which tokens those of a text were drawn."""

    def __init__(self, grammars: GrammarCompiler, vocab_size: int) -> None:
        self._grammars, self._words = grammars, mask_words(vocab_size)

    def of(self, text: DrawnText) -> Bits | None:
        if not text.HasField("grammar"):
            return None
        compiled = self._grammars.compile(_grammar(text))
        matcher, rows = compiled.matcher(), []
        for token in text.tokens:
            if token.HasField("logprob"):
                row = np.zeros(self._words, dtype=np.int32)
                matcher.raw.unsafe_compute_mask_ptr(row.ctypes.data, row.nbytes)
                if not row[token.token_id // 32] >> (token.token_id % 32) & 1:
                    raise UnusableTrajectoryError(
                        f"token {token.token_id} was drawn, but its grammar does not allow it: the "
                        "episode is of another model"
                    )
                rows.append(row)
            if not matcher.is_over:
                matcher.accept(token.token_id)
        return np.stack(rows) if rows else np.zeros((0, self._words), dtype=np.int32)


def _sample(text: DrawnText, advantage: float, masks: _Masks) -> Sample:
    ids = [token.token_id for token in text.tokens]
    draws = [place for place, token in enumerate(text.tokens) if token.HasField("logprob")]
    allowed = masks.of(text)
    if allowed is not None:
        # Where a GPU draws from one token alone there was no choice, either.
        choice = np.bitwise_count(allowed.view(np.uint32)).sum(axis=1) > 1
        allowed = allowed[choice]
        draws = [place for place, was in zip(draws, choice, strict=True) if was]
    first = len(text.prompt_ids)
    return Sample(
        tokens=(*text.prompt_ids, *ids[:-1]),
        places=np.array([first + each - 1 for each in draws], dtype=np.int64),
        drawn=np.array([ids[each] for each in draws], dtype=np.int64),
        logprobs=np.array([text.tokens[each].logprob for each in draws], dtype=np.float32),
        allowed=allowed,
        temperature=text.temperature,
        advantage=advantage,
    )


def _grammar(text: DrawnText) -> Grammar:
    match text.grammar.WhichOneof("kind"):
        case "choices":
            return Grammar.choices([*text.grammar.choices.options])
        case kind:
            return Grammar(GrammarKind(kind), getattr(text.grammar, str(kind)))


def mean_reward(trajectories: Iterable[Trajectory]) -> float:
    """Return what episodes came to on average."""
    rewards = [each.reward for each in trajectories]
    return math.fsum(rewards) / len(rewards)
