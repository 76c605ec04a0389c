"""From recorded episodes to what is learned from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.grammar.compiler import GrammarCompiler
from townsfolk.learning.samples import UnusableTrajectoryError, advantages, samples
from townsfolk.learning.significance import compare
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1.episode_pb2 import DrawnText, DrawnToken, EpisodeAct, Trajectory
from townsfolk.v1.sampling_pb2 import Grammar


def played(reward: float, group: str = "") -> Trajectory:
    return Trajectory(reward=reward, group=group)


def test_an_episode_is_compared_with_the_others_of_its_group():
    found = advantages(
        [played(1, "a"), played(4, "b"), played(3, "a"), played(2, "b"), played(2, "a")],
        normalize=False,
    )
    assert found == pytest.approx([1 - 2.5, 4 - 2, 3 - 1.5, 2 - 4, 2 - 2])


def test_an_episode_without_others_is_compared_with_all():
    found = advantages([played(1, "a"), played(4, "b"), played(7, "c")], normalize=False)
    assert found == pytest.approx([1 - 5.5, 4 - 4, 7 - 2.5])
    assert advantages([played(3)]) == [0.0]


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from("abc")), min_size=2, max_size=30))
def test_advantages_have_the_size_of_one(some):
    found = np.array(advantages([played(*each) for each in some]))
    assert np.isfinite(found).all()
    assert np.sqrt((found**2).mean()) == pytest.approx(1.0) or not found.any()


@pytest.fixture(scope="module")
def grammars(model: Path) -> tuple[GrammarCompiler, Tokenizer, int]:
    tokenizer = Tokenizer.from_directory(model)
    size = json.loads((model / "config.json").read_text())["vocab_size"]
    return GrammarCompiler(tokenizer, size, tokenizer.eos_ids), tokenizer, size


def episode(tokenizer: Tokenizer, text: str, regex: str, undrawn: int = 0) -> Trajectory:
    ids = tokenizer.encode(text, continues=True)
    tokens = [
        DrawnToken(token_id=each) if place < undrawn else DrawnToken(token_id=each, logprob=-1.5)
        for place, each in enumerate(ids)
    ]
    drawn = DrawnText(
        prompt_ids=[5, 6, 7], tokens=tokens, grammar=Grammar(regex=regex), temperature=1.5
    )
    return Trajectory(acts=[EpisodeAct(drawn=[drawn])], reward=1.0)


def test_what_was_drawn_is_told_from_what_was_not(grammars):
    compiler, tokenizer, size = grammars
    recorded = episode(tokenizer, "aab", "a*b|c", undrawn=1)
    (found,) = samples([recorded], [0.75], compiler, size)
    ids = tokenizer.encode("aab", continues=True)
    assert found.tokens == (5, 6, 7, *ids[:-1])
    assert found.drawn.tolist() == ids[1:]
    assert found.places.tolist() == list(range(3, 2 + len(ids)))
    assert (found.temperature, found.advantage) == (1.5, 0.75)
    assert found.logprobs.tolist() == [-1.5] * (len(ids) - 1)
    assert found.allowed is not None
    first = {each for each in range(size) if found.allowed[0][each // 32] >> (each % 32) & 1}
    # Behind an "a" no "c" may come.
    assert first == {
        each for each in range(size)
        if (text := tokenizer.token_bytes(each)) and set(text) <= set(b"ab")
        and text.rstrip(b"b").count(b"b") == 0 and text.count(b"b") <= 1
        and each not in tokenizer.special_tokens.values()
    }  # fmt: skip


def test_episodes_of_another_model_are_refused(grammars):
    compiler, tokenizer, size = grammars
    with pytest.raises(UnusableTrajectoryError, match="another model"):
        samples([episode(tokenizer, "x", "a*b")], [1.0], compiler, size)


def test_nothing_that_was_not_drawn_is_learned(grammars):
    compiler, tokenizer, size = grammars
    recorded = episode(tokenizer, "b", "b", undrawn=9)
    assert samples([recorded], [1.0], compiler, size) == []


def test_chance_is_no_progress():
    """Of 60 comparisons of equals, about three are below one in twenty."""
    rng = np.random.default_rng(0)
    below = 0
    for seed in range(60):
        before, after = rng.normal(size=(2, 40))
        below += compare(before.tolist(), after.tolist(), seed).p < 0.05
    assert below <= 10


def test_progress_is_found():
    rng = np.random.default_rng(1)
    before = rng.normal(size=100)
    found = compare(before.tolist(), (before + rng.normal(0.5, 0.5, 100)).tolist())
    assert found.is_better
    assert 0.2 < found.low < 0.5 < found.high < 0.8
    worse = compare((before + 0.5).tolist(), before.tolist())
    assert worse.p < 0.01
    assert not worse.is_better


@pytest.mark.parametrize("pair", [([], []), ([1.0], [1.0, 2.0])])
def test_what_is_no_pair_is_not_compared(pair):
    with pytest.raises(ValueError, match="no pairs"):
        compare(*pair)


def test_a_draw_from_one_token_alone_is_none(grammars):
    compiler, tokenizer, size = grammars
    (found,) = samples([episode(tokenizer, "qb", "q[ab]")], [1.0], compiler, size)
    assert found.drawn.tolist() == tokenizer.encode("b", continues=True)
    assert found.allowed is not None
    assert len(found.allowed) == len(found.places) == len(found.logprobs) == 1
