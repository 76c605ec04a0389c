"""Another program that computes on the same processor, to be measured beside or talked to."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from types import TracebackType

from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.rival_talk import RivalTalk

_STOPS_S = 10.0
_ASKS_EVERY_S = 0.1  # whether it serves


class Rival:
    """A command that computes for longer than a measurement; use it as a context manager.

    Attributes:
        name: the program, as a report calls it.
        url: where it serves OpenAI's chat completions; None where it computes by itself.
    """

    def __init__(self, command: str, begins_after_s: float, url: str | None = None) -> None:
        """Take a command; nothing starts yet.

        Args:
            command: as a shell would take it.
            begins_after_s: how long it loads before it computes, in seconds; with a URL, how long
                it may take at most until it serves.
            url: see `Rival.url`.

        Raises:
            MeasurementError: there is no command.
        """
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise MeasurementError(f"--rival: {command!r} is no command: {error}") from None
        if not self._command:
            raise MeasurementError("--rival: is empty")
        self.name = os.path.basename(self._command[0])
        self.url = url
        self._begins_after_s = begins_after_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Rival:
        try:
            self._process = subprocess.Popen(self._command)
        except OSError as error:
            raise MeasurementError(f"--rival: {self.name} can't be started: {error}") from None
        try:
            self._await_start()
        except MeasurementError:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._check()
        finally:
            self._stop()

    def _await_start(self) -> None:
        if self.url is None:
            time.sleep(self._begins_after_s)
            self._check()
            return
        server, until = RivalTalk(self.url, "", 1), time.monotonic() + self._begins_after_s
        while not server.is_ready():
            self._check()
            if time.monotonic() > until:
                raise MeasurementError(
                    f"--rival-url: {self.name} does not serve at {self.url} after "
                    f"{self._begins_after_s:g} s; see --rival-loads-s"
                )
            time.sleep(_ASKS_EVERY_S)

    def _check(self) -> None:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            raise MeasurementError(
                f"--rival: {self.name} ended with status {status} before the measurement did"
            )

    def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOPS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
