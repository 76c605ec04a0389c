"""A renderer in a process of its own draws beside characters who talk to a real runtime."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from townsfolk.bench.renderer import Frames, _draw


class Clock:
    """Work that takes a set time in some frames."""

    def __init__(self, seconds):
        self.seconds = iter(seconds)
        self.now = 0.0

    def run(self, times):
        taken = next(self.seconds, 0.001)
        self.now += taken
        return taken

    def perf_counter(self):
        self.now += 1e-6
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_frame_that_is_late_is_missed_and_the_next_waits_for_its_turn(monkeypatch):
    # A second of frames that don't count, then one that takes two and a half frames.
    clock = Clock([0.001] * 14 + [0.25])
    monkeypatch.setattr("townsfolk.bench.renderer.time", clock)
    drawn = _draw(None, clock, 1, Frames(frame_s=0.1, work_s=0.001, seconds=1.0))
    assert drawn.missed == 1
    assert max(drawn.times_s) == pytest.approx(0.25, abs=1e-4)
    assert 7 <= len(drawn.times_s) <= 9  # two of some ten were lost to the long one


def test_a_row_for_each_way_over_the_real_service():
    command = [
        sys.executable, "-m", "townsfolk", "bench", "--render", "0,1", "--shape", "llama-tiny",
        "--device", "cpu", "--threads", "1", "--seconds", "2", "--frames", "10:2",
        "--policy", "none", "--policy", "fast",
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    assert [(row["NPCs"], row["paced"]) for row in report["rows"]] == [
        (0, ""),
        (1, "no"),
        (1, "fast"),
    ]
    assert "no graphics" in report["renderer"]
    assert all(row["frames"] > 0 for row in report["rows"])
    assert report["rows"][0]["TTFT p50 ms"] is None
    assert report["rows"][2]["budget ms"] > 0
