"""How the interpreter is prepared for serving."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
from townsfolk.service import interpreter


@pytest.fixture
def as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("as_before")
def test_what_is_loaded_is_not_looked_through_for_garbage_again():
    loaded = [[number] for number in range(1000)]
    interpreter.settle()
    later = [[number] for number in range(1000)]
    watched = {id(one) for one in gc.get_objects()}
    assert watched.isdisjoint(map(id, loaded))
    assert watched.issuperset(map(id, later))


@pytest.mark.usefixtures("as_before")
def test_threads_take_turns_more_often_than_the_engine_takes_steps():
    interpreter.settle()
    assert sys.getswitchinterval() < 0.00077  # a token of a 1B model on a fast GPU
