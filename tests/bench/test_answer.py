"""Figures made of many answers."""

import pytest
from townsfolk.bench.answer import Answer, MeasurementError, latencies, long_enough, steady_rate
from townsfolk.bench.report import percentile


def answer(asked, arrivals, *, turn=0, sizes=None, generated=None):
    sizes = sizes or [1] * len(arrivals)
    return Answer(turn, asked, list(arrivals), sizes, generated or len(arrivals), 100, 60)


def test_rate_counts_only_while_all_are_answered():
    early = answer(0.0, [1.0, 2.0, 3.0, 4.0])
    late = answer(0.0, [2.0, 3.0, 4.0, 5.0, 6.0])
    # Between 2 and 4 seconds two tokens of each came.
    assert steady_rate([early, late]) == pytest.approx(2.0)


def test_a_message_holds_its_share_of_the_tokens():
    halves = answer(0.0, [1.0, 2.0, 4.0], sizes=[5, 20, 25], generated=10)
    assert halves.tokens_between(1.0, 2.0) == pytest.approx(4)
    assert halves.tokens_between(1.0, 4.0) == pytest.approx(9)
    assert steady_rate([halves]) == pytest.approx(3.0)
    assert halves.token_times_s == pytest.approx([1 / 4, 2 / 5])


def test_answers_that_never_overlap_have_no_rate():
    with pytest.raises(MeasurementError, match="--new-tokens"):
        steady_rate([answer(0.0, [1.0, 2.0]), answer(0.0, [3.0, 4.0])])


def test_first_and_later_turns_are_kept_apart():
    row = latencies(
        [
            answer(1.0, [1.5, 1.6, 1.8], generated=6),
            answer(2.0, [2.1, 2.2], turn=1),
            answer(3.0, [3.2], turn=2),
            answer(4.0, [], turn=3),  # nothing came: it has no latency
        ]
    )
    assert row["TTFT first p50 ms"] == pytest.approx(500)
    assert row["TTFT later p99 ms"] == pytest.approx(200)
    assert row["inter-token p50 ms"] == pytest.approx(100)
    assert row["inter-token p99 ms"] == pytest.approx(200)
    assert row["tokens/message"] == pytest.approx(9 / 6)
    assert row["cached share"] == pytest.approx(0.6)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentile(share, expected):
    assert percentile(range(1, 101), share) == expected


def test_answers_become_longer_until_all_are_given_at_once():
    tried = []

    def run(length):
        tried.append(length)
        steady_rate([answer(0.0, [1.0, 1.0 + length]), answer(0.0, [10.0, 50.0])])

    assert long_enough([4, 8, 16, 32], run) == 16
    assert tried == [4, 8, 16]
    with pytest.raises(MeasurementError, match="--new-tokens"):
        long_enough([2, 4], run)
