"""A runtime as a child process: started, waited for, ended with its parent."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from townsfolk.client.errors import RuntimeUnavailableError
from townsfolk.installation import own_command

LOG_LINES_KEPT = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a runtime listens: `address` is `host:port`; token is empty when none is needed."""

    address: str
    token: str


class RuntimeProcess:
    """A `townsfolk serve` child. It ends when it is closed, and also when this process dies.

    The child holds the reading end of a pipe that closes with this process and watches its id, so
    neither a crash nor a kill of the game leaves it behind.
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        command: Sequence[str] = (),
        timeout_s: float = 120.0,
    ) -> None:
        """Prepare a runtime; nothing starts yet.

        Args:
            arguments: More arguments for `townsfolk serve`.
            command: The program to run instead of this one.
            timeout_s: How long the runtime may take until it serves, in seconds.
        """
        self._command = [*(command or own_command()), "serve", *arguments]
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES_KEPT)
        self._log_reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None while none runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> list[str]:
        """Return the last lines the child logged."""
        return list(self._log)

    def start(self) -> Endpoint:
        """Start the child and wait until it serves.

        Raises:
            RuntimeUnavailableError: It ended or took too long; the message holds its last lines.
        """
        self.stop()
        with tempfile.TemporaryDirectory(prefix="townsfolk-") as folder:
            ready_file = Path(folder) / "ready.json"
            command = [
                *self._command,
                *("--port", "0", "--ready-file", str(ready_file)),
                *("--exit-with-parent", str(os.getpid()), "--exit-with-stdin"),
            ]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    # Ctrl-C in the terminal interrupts the character, not the runtime.
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
            except OSError as error:
                raise RuntimeUnavailableError(f"can't start {command[0]}: {error}") from error
            self._log.clear()
            self._log_reader = threading.Thread(
                target=self._read_log, args=(self._process,), name="townsfolk-log", daemon=True
            )
            self._log_reader.start()
            return self._wait(self._process, ready_file)

    def stop(self, grace_s: float = 5.0) -> None:
        """End the child, first politely; return when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # --exit-with-stdin: the polite request
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._log_reader is not None:
            self._log_reader.join(timeout=1.0)

    def _wait(self, process: subprocess.Popen[str], ready_file: Path) -> Endpoint:
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            if ready_file.exists():
                ready = json.loads(ready_file.read_text(encoding="utf-8"))
                return Endpoint(f"{ready['address']}:{ready['port']}", ready.get("token") or "")
            if process.poll() is not None:
                break
            time.sleep(0.01)
        status = process.poll()
        if status is not None and self._log_reader is not None:
            self._log_reader.join(timeout=1.0)
        self.stop(grace_s=0.0)
        what = f"took over {self._timeout_s:g} s" if status is None else f"ended with {status}"
        lines = "\n".join(self.log()[-20:])
        raise RuntimeUnavailableError(f"the runtime {what} before it served. Its log:\n{lines}")

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self._log.append(line.rstrip("\n"))

    def __enter__(self) -> RuntimeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
