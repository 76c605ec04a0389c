"""The sample of decisions, as its reader runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "samples/python/decisions.py"


def test_it_decides_and_acts():
    done = subprocess.run(
        [sys.executable, str(SAMPLE)], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in ("mood:", "bark:", "lets the player in:", "data:", "open_door("):
        assert word in done.stdout
