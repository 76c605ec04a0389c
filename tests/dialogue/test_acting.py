"""What is done is drawn apart from what is said."""

from dataclasses import replace

from townsfolk.dialogue.acting import action_params
from townsfolk.sampling.params import SamplingParams


def test_each_action_of_a_turn_has_random_numbers_of_its_own():
    for seed in (0, 6, 7, 2**64 - 1):
        speech = SamplingParams(seed=seed)
        anew = replace(speech, seed=(seed + 1) % 2**64)  # as `retry_repetition` says it anew
        seeds = [action_params(each, number).seed for each in (speech, anew) for number in range(4)]
        seeds += [speech.seed, anew.seed]
        assert len({*seeds}) == len(seeds)
        assert all(0 <= each < 2**64 for each in seeds)
        assert action_params(speech, 1) == action_params(speech, 1)
    assert action_params(SamplingParams()).seed is None
