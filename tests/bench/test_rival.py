"""Another program that computes beside frames."""

from __future__ import annotations

import sys

import psutil
import pytest
from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.rival import Rival

LASTS = f"{sys.executable} -c 'import time; time.sleep(600)'"


def test_it_runs_meanwhile_and_not_afterwards():
    with Rival(LASTS, 0.01) as rival:
        process = rival._process
        assert process.poll() is None
    assert not psutil.pid_exists(process.pid)


def test_one_that_ends_before_the_measurement_is_told():
    rival = Rival(f"{sys.executable} -c 'raise SystemExit(3)'", 0.0)

    def measure():
        with rival:
            rival._process.wait()

    with pytest.raises(MeasurementError, match="status 3"):
        measure()


@pytest.mark.parametrize(
    ("command", "reason"),
    [("", "empty"), ("'", "no command"), ("no-such-program-here", "can't be started")],
)
def test_what_is_no_command_is_refused(command, reason):
    with pytest.raises(MeasurementError, match=reason), Rival(command, 0.0):
        pass
