"""How much of a prompt a step computes while others speak."""

import pytest
from townsfolk.engine.pace import Pace
from townsfolk.engine.step_inputs import DECODES, LARGE_TOKENS, TOKENS, StepShape, graph_sizes

SIZES = [(speakers, tokens) for speakers in DECODES for tokens in TOKENS]


def seconds(speakers, prompt_tokens):
    """A device: a step of speakers takes 1 ms; one with prompts 1.3 ms, and 2 us a token."""
    return 1e-3 if not prompt_tokens else 1.3e-3 + 2e-6 * (speakers + prompt_tokens)


def settle(pace, speakers, prompts=1, cost=seconds, steps=60):
    """Lets it decide and learn; what it decides at last."""
    chosen = None
    for _ in range(steps):
        chosen = pace.prompt_tokens(speakers, prompts)
        pace.note(speakers, 0, cost(speakers, 0))
        pace.note(speakers, chosen, cost(speakers, chosen))
    return chosen


def test_nothing_limits_prompts_where_nobody_speaks_or_steps_have_no_sizes():
    assert Pace(SIZES).undisturbed_tokens(100_000) is None
    assert Pace().prompt_tokens(5, 3) is None
    assert Pace(SIZES).prompt_tokens(DECODES[-1] + 1, 3) is None


def test_a_few_steps_of_the_largest_size_are_preferred_to_a_larger_one():
    largest = TOKENS[-1] - DECODES[0]
    assert Pace(SIZES).undisturbed_tokens(20) == largest
    assert Pace(SIZES).undisturbed_tokens(3 * largest) == largest
    assert Pace(SIZES).undisturbed_tokens(3 * largest + 1) is None
    assert Pace().undisturbed_tokens(20) is None


@pytest.mark.parametrize("speakers", [0, 3, 8, 50])
def test_where_many_prompts_wait_a_step_is_the_largest_graph(speakers):
    most = LARGE_TOKENS[-1]
    pace = Pace(graph_sizes(most))
    for _ in range(20):
        found = pace.allow(most - speakers, speakers, 64, lambda: 64 * 512).tokens
        pace.note(speakers, found, seconds(speakers, found))
    assert StepShape.fitting(speakers, 5, found, most).tokens == most


def test_a_step_that_is_no_graph_is_at_least_twice_as_large():
    pace = Pace(SIZES)
    room = TOKENS[-1] - DECODES[0]
    assert pace.allow(2 * room - 1, 0, 64, lambda: 10_000).tokens == room
    assert pace.allow(2 * room, 0, 64, lambda: 10_000).tokens == 2 * room


def test_before_anything_is_measured_a_chunk_is_small():
    assert Pace(SIZES).prompt_tokens(5, 1) == 128 - 8


def test_a_burst_of_prompts_gets_large_chunks_though_no_step_is_without_one():
    pace = Pace(SIZES)
    for _ in range(20):
        chosen = pace.prompt_tokens(8, 56)
        pace.note(8, chosen, seconds(8, chosen))
    assert chosen >= TOKENS[-1] - 8


@pytest.mark.parametrize("slowdown", [0.5, 0.9])
def test_the_largest_size_that_is_fast_enough_is_taken(slowdown):
    fast = [t - 8 for t in TOKENS if seconds(8, t - 8) <= (1 + slowdown) * seconds(8, 0)]
    assert settle(Pace(SIZES, slowdown), 8) == fast[-1]


def test_a_step_has_some_of_a_prompt_however_slow_it_is():
    assert settle(Pace(SIZES), 8, cost=lambda s, p: 1e-3 + 1e-3 * p) == 64 - 8


def test_where_more_wait_than_speak_prompts_have_more():
    assert settle(Pace(SIZES), 2, prompts=20) > TOKENS[-1]
    assert settle(Pace(SIZES), 20, prompts=2) < TOKENS[-1]


def test_a_device_that_gets_slower_gets_smaller_chunks_and_larger_ones_again_later():
    pace = Pace(SIZES)
    before = settle(pace, 8)
    slower = settle(pace, 8, cost=lambda s, p: seconds(s, p) + 4e-6 * p)
    assert slower < before
    assert settle(pace, 8, steps=1000) == before
