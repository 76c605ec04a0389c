"""Contestants in processes of their own."""

import pytest
from small_contestants import make_counter, make_failing
from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.child import ChildContestant
from townsfolk.bench.decode import Rates


def test_it_is_made_there_and_asked_again_and_again():
    contestant = ChildContestant("counter", make_counter, 40)
    assert contestant.run([[1, 2], [3]], 5) == Rates(decode=43, prefill=5)
    assert contestant.run([[1]], 7) == Rates(decode=41, prefill=7)
    contestant.close()


def test_one_that_fails_is_told():
    contestant = ChildContestant("broken", make_failing)
    with pytest.raises(MeasurementError, match="broken has failed"):
        contestant.run([[1]], 1)
    contestant.close()
