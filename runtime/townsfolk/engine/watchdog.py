"""Notices when the engine's thread does not come back from what it is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# A turn that takes longer than this, and so many times the longest one of late, has hung. Steps
# take milliseconds; the floor is for processors that a game has just begun to compile shaders on,
# and for weights that come back from swap.
FLOOR_S = 60.0
TIMES_LONGEST = 20.0
POLL_S = 1.0
_FORGETS = 0.999  # what is left of the longest turn with each one that is shorter


class Watchdog:
    """Watches turns of a thread from another one.

    The time that counts is what the watchdog itself has seen pass: a process that was stopped, or
    a computer that slept, has not hung.
    """

    def __init__(self, on_stall: Callable[[float], None]) -> None:
        """Make a watchdog.

        Args:
            on_stall: called once, in the watchdog's thread, with the seconds that a turn has taken.
        """
        self._on_stall = on_stall
        self._turns = 0  # begun so far
        self._longest_s = 0.0
        self._began = time.monotonic()
        self._awake = threading.Event()  # whether a turn is under way
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="townsfolk-watchdog", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to watch; what hangs from now on is not noticed."""
        self._stopping.set()
        self._awake.set()

    def begin(self) -> None:
        """Begin a turn; the one before has ended. Watched thread only, as `rest`."""
        now = time.monotonic()
        if self._awake.is_set():
            self._longest_s = max(now - self._began, self._longest_s * _FORGETS)
        else:
            self._awake.set()
        self._began = now
        self._turns += 1

    def rest(self) -> None:
        """End the turn; none is under way until the next begins."""
        if not self._stopping.is_set():
            self._awake.clear()

    @property
    def limit_s(self) -> float:
        """Seconds that a turn may take now."""
        return max(FLOOR_S, TIMES_LONGEST * self._longest_s)

    def _run(self) -> None:
        turn, spent, last = 0, 0.0, time.monotonic()
        while not self._stopping.is_set():
            if not self._awake.is_set():
                self._awake.wait()
                last = time.monotonic()
            self._stopping.wait(POLL_S)
            now = time.monotonic()
            if turn != self._turns or not self._awake.is_set():
                turn, spent = self._turns, 0.0
            else:
                spent += min(now - last, 2 * POLL_S)
            last = now
            if spent > self.limit_s and not self._stopping.is_set():
                self._on_stall(spent)
                return
