"""Writing to a file descriptor that may take nothing, without waiting for it."""

from __future__ import annotations

import io
import os
import threading
from collections import deque

# What may wait to be written, in characters.
CAPACITY = 1 << 18


class PatientWriter(io.TextIOBase):
    """A text stream whose `write` never blocks: a thread passes on what it is given.

    When as much waits as may, more is dropped and counted; once there is room again, one line says
    how many lines are missing.
    """

    def __init__(self, descriptor: int, capacity: int = CAPACITY) -> None:
        """Write to the descriptor, which stays open.

        Args:
            descriptor: Of a file, a pipe or a terminal.
            capacity: The most characters that wait.
        """
        self._descriptor = descriptor
        self._capacity = capacity
        self._waiting: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="townsfolk-log", daemon=True).start()

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Take a text, to be written soon or dropped."""
        with self._changed:
            if self._size + len(text) > self._capacity:
                self._dropped += max(text.count("\n"), 1)
            elif text:
                self._waiting.append(text)
                self._size += len(text)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: who flushes a log does not mean to wait."""

    def drain(self, seconds: float) -> bool:
        """Wait until all is written, but no longer than this; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._writing), seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                text = "".join(self._waiting)
                if self._dropped:
                    text += f"({self._dropped} log lines are missing: nobody read them in time)\n"
                self._waiting.clear()
                self._size = self._dropped = 0
                self._writing = True
            self._write(text.encode("utf-8", "replace"))
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            pass  # nobody is left to read it
