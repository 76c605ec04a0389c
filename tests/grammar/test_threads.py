"""Masks are computed by as many threads as are fastest."""

import numpy as np
import pytest
from townsfolk.grammar import threads as module
from townsfolk.grammar.threads import Threads

ROWS = np.zeros((32, 4), dtype=np.int32)
MASKS = [(None, row) for row in range(32)]


class Clock:
    """Time that only passes while masks are computed: so long for each number of threads."""

    def __init__(self, monkeypatch, seconds):
        self.seconds, self.now, self.used = seconds, 0.0, []
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(Threads, "_run", lambda _, count, *rest: self.run(count))

    def run(self, count):
        self.used.append(count)
        self.now += self.seconds[count]


@pytest.mark.parametrize("fastest", [1, 2, 4])
def test_the_fastest_number_is_taken(monkeypatch, fastest):
    clock = Clock(monkeypatch, {count: 1.0 if count == fastest else 2.0 for count in (1, 2, 4)})
    threads = Threads([1, 2, 4])
    for _ in range(40):
        threads.compute(MASKS, ROWS)
    assert {1, 2, 4} == {*clock.used[:12]}
    assert {*clock.used[12:]} == {fastest}


def test_another_is_taken_once_it_is_faster(monkeypatch):
    clock = Clock(monkeypatch, {1: 1.0, 2: 2.0})
    threads = Threads([1, 2])
    for _ in range(40):
        threads.compute(MASKS, ROWS)
    clock.seconds = {1: 4.0, 2: 2.0}
    for _ in range(100):
        threads.compute(MASKS, ROWS)
    assert clock.used[-1] == 2


def test_no_thread_is_woken_for_a_few(monkeypatch):
    clock = Clock(monkeypatch, {1: 2.0, 2: 1.0})
    threads = Threads([1, 2])
    for _ in range(20):
        threads.compute(MASKS[:2], ROWS)
    assert {*clock.used} == {1}
