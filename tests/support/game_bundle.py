"""A real bundle of the starter model, made once for all tests of a run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

# The folder's name has what players' folders have.
NAME = "Schänke am Fluß"


def make_once(shared: Path) -> Path:
    """Return the bundle in a folder that all processes of a test run share; make it where needed.

    It is made in another folder than the one in which it is used: a bundle can be moved. One that
    was made before, in TOWNSFOLK_BUNDLE, saves the minute that it takes.
    """
    if made := os.environ.get("TOWNSFOLK_BUNDLE"):
        return Path(made)
    shared.mkdir(exist_ok=True)
    bundle, failure = shared / NAME, shared / "failure"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if failure.exists():  # it would fail again, a minute for each test
            raise AssertionError(failure.read_text())
        if not bundle.exists():
            made = shared / "made" / "bundle"
            made.parent.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "townsfolk", "bundle", "--model", "starter"]
            done = subprocess.run(
                [*command, "--out", str(made), "--engine", "godot"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode != 0:
                failure.write_text(done.stdout)
                raise AssertionError(done.stdout)
            made.rename(bundle)
    return bundle
