"""Games that share a runtime: real processes that can be killed, with a script for a model."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from townsfolk.client import Runtime

WITHIN_S = 120
SCRIPT = """
[[lines]]
heard = "long"
says = "{words}"
words_per_second = 100

[[lines]]
says = "Well met."
""".format(words=" ".join(["on and"] * 200))

# Starts a runtime as all clients do, and waits to be killed.
_GAME = """
import os, subprocess, sys, time
own = ["--exit-with-parent", str(os.getpid()), "--exit-with-stdin"]
child = subprocess.Popen([sys.executable, "-m", "townsfolk", *sys.argv[1:], *own],
                         stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for something, for long: the machine may be busy."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, whoever its parent is."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass(slots=True)
class Games:
    """Starts games whose runtimes are found in a folder."""

    shared: Path
    folder: Path
    script: str = SCRIPT

    def start(self, *flags: str, script: str = "") -> Game:
        """Start a game; its runtime need not serve yet."""
        name = f"game {len(list(self.folder.iterdir()))}"
        text = script or self.script
        # The same script lies elsewhere in each game, as a model that it brought along would.
        (self.folder / name).mkdir()
        path = self.folder / name / "Schänke.toml"
        path.write_text(text, encoding="utf-8")
        return Game(path, self.folder / name / "ready.json", flags)

    def host(self) -> int:
        """The process id of the one shared runtime that takes leases."""
        [told] = self.shared.glob("*.json")
        return int(json.loads(told.read_text())["pid"])

    def hosts(self) -> list[int]:
        """Those of all that do."""
        pids = []
        for told in self.shared.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                pids.append(int(json.loads(told.read_text())["pid"]))
        return pids


class Game:
    """A process that has a runtime; use it as a context manager, which kills it."""

    def __init__(self, script: Path, ready_file: Path, flags: tuple[str, ...]) -> None:
        self._ready_file = ready_file
        arguments = ["serve", "--model", str(script), "--share", "--port", "0"]
        self.log = ready_file.with_name("log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _GAME, *arguments, "--ready-file", str(ready_file), *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.attendant = int(self.process.stdout.readline())

    def ready(self) -> dict[str, object]:
        """What its ready file says, once it is there."""
        wait_until(self._has_answer, "a runtime, or its end")
        assert self._ready_file.exists(), self.log.read_text()
        told: dict[str, object] = json.loads(self._ready_file.read_text())
        return told

    @contextlib.contextmanager
    def connected(self) -> Iterator[Runtime]:
        """Its runtime, to be spoken to."""
        told = self.ready()
        with Runtime.connect(f"{told['address']}:{told['port']}", str(told["token"])) as runtime:
            yield runtime

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def wait(self) -> str:
        """Wait until its runtime has ended; return the log."""
        self.process.wait(WITHIN_S)
        return self.log.read_text()

    def _has_answer(self) -> bool:
        return self._ready_file.exists() or self.process.poll() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        wait_until(lambda: is_gone(self.attendant), "the attendant is gone")
