"""DRY, and no tokens in a row again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.sampling.repeats import BAN, RepeatPenalty

BREAKER = 0


def biases(params, lines, reply):
    repeats = RepeatPenalty(params, lines, lambda token_id: token_id == BREAKER)
    for token_id in reply:
        repeats.accept(token_id)
    return repeats.biases()


def slowly(params, lines, reply):
    """The definition, place by place."""
    text = [token_id for line in lines for token_id in (None, *line)] + [None, *reply]
    found = {}
    for place in range(1, len(text)):  # what stood at `place`, behind what ends before it
        if text[place] is None:
            continue
        same = dry = 0
        while same < place - 1 and text[place - 1 - same] == text[-1 - same] is not None:
            same += 1
        while dry < same and text[-1 - dry] != BREAKER:
            dry += 1
        bias = 0.0
        if params.dry_multiplier and dry >= params.dry_allowed_length:
            longer = dry - params.dry_allowed_length
            bias = max(-params.dry_multiplier * params.dry_base**longer, BAN)
        if params.no_repeat_tokens and same >= params.no_repeat_tokens - 1:
            bias = BAN
        if bias:
            found[text[place]] = min(found.get(text[place], 0.0), bias)
    return found


def test_what_goes_on_as_before_grows_less_likely_the_longer_it_repeats():
    params = SamplingParams(dry_multiplier=0.5, dry_base=2.0, dry_allowed_length=2)
    lines = [[5, 6, 7, 8, 9]]
    assert biases(params, lines, [5]) == {}
    assert biases(params, lines, [5, 6]) == {7: -0.5}
    assert biases(params, lines, [5, 6, 7]) == {8: -1.0}
    assert biases(params, lines, [5, 6, 7, 8]) == {9: -2.0}
    assert biases(params, lines, [5, 6, 7, 8, 9]) == {}  # a line's end is nothing to repeat
    assert biases(params, lines, [6, 8]) == {}


def test_a_reply_repeats_itself_no_more_than_earlier_lines():
    params = SamplingParams(dry_multiplier=1.0)
    assert biases(params, [], [1, 2, 3, 1, 2]) == {3: -1.0}


def test_breakers_end_what_repeats():
    params = SamplingParams(dry_multiplier=1.0, dry_allowed_length=1)
    assert biases(params, [[4, BREAKER, 5, 6]], [4, BREAKER]) == {}
    assert biases(params, [[4, BREAKER, 5, 6]], [4, BREAKER, 5]) == {6: -1.0}


def test_so_many_tokens_do_not_come_again():
    params = SamplingParams(no_repeat_tokens=3)
    assert biases(params, [[4, 5, 6], [4, 5, 7]], [4, 5]) == {6: BAN, 7: BAN}
    assert biases(params, [[4, 5, 6]], [5]) == {}
    assert biases(params, [[4, 5], [6, 7]], [4, 5]) == {}  # not across lines


def test_much_repetition_is_no_infinite_penalty():
    params = SamplingParams(dry_multiplier=10.0, dry_base=4.0)
    found = biases(params, [], [1] * 300)
    assert found == {1: BAN}


TOKENS = st.lists(st.integers(0, 3), max_size=12)


@given(
    lines=st.lists(TOKENS, max_size=4),
    reply=TOKENS,
    multiplier=st.sampled_from([0.0, 0.7]),
    allowed=st.integers(1, 3),
    no_repeat=st.sampled_from([0, 2, 4]),
)
def test_it_is_what_its_definition_says(lines, reply, multiplier, allowed, no_repeat):
    params = SamplingParams(
        dry_multiplier=multiplier, dry_allowed_length=allowed, no_repeat_tokens=no_repeat
    )
    assert biases(params, lines, reply) == pytest.approx(slowly(params, lines, reply))


@pytest.mark.parametrize(
    "bad",
    [
        {"dry_multiplier": -1},
        {"dry_base": 0.5},
        {"dry_allowed_length": 0},
        {"dry_breakers": ("",)},
        {"dry_breakers": "abc"},
        {"no_repeat_tokens": 1},
        {"repeat_window": 65},
        {"retry_repetition": 2},
    ],
    ids=str,
)
def test_values_out_of_range_are_named(bad):
    with pytest.raises(InvalidSamplingError, match=next(iter(bad))):
        SamplingParams(**bad)
