"""The thread that runs an engine, and how it ends: when asked to, or by a failure."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import torch

from townsfolk.engine.errors import EngineFailedError
from townsfolk.engine.threads import compute_with
from townsfolk.engine.watchdog import Watchdog

logger = logging.getLogger(__name__)

Command = Callable[[], None]

_POLL_S = 0.2  # how often one who waits for the thread's end looks whether it has failed


class Work(Protocol):
    """What the thread does."""

    def turn(self) -> float | None:
        """Do what there is to do now.

        Returns:
            for how many seconds there is nothing more to do unless a command comes: 0 to go on at
            once, None for any time.
        """

    def note_wait(self, seconds: float) -> None:
        """Note that the thread has waited for a command."""

    def end(self) -> None:
        """Do what is left to do before an orderly end."""


class EngineThread:
    """Runs turn after turn, and commands of other threads between them.

    What escapes from a turn or a command, and a turn that does not come back, is a failure of the
    engine: nothing is known of its state any more. The thread then runs nothing else, and `failed`
    tells everybody. Faults of a single request are handled within the turn.

    Attributes:
        failed: has the error as its result once the engine has failed.
    """

    def __init__(self, work: Work, threads: int | None) -> None:
        """Make the thread; `start` starts it.

        Args:
            work: what it does.
            threads: CPU threads that it computes with; PyTorch's default if not given.
        """
        self.failed: Future[EngineFailedError] = Future()
        self.failed.set_running_or_notify_cancel()  # nobody who waits for it may cancel it
        self._work = work
        self._threads = threads
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._stopping = False
        self._failing = threading.Lock()
        self._watchdog = Watchdog(self._give_up_on)
        self._thread = threading.Thread(target=self._run, name="townsfolk-engine", daemon=True)

    def start(self) -> None:
        """Start the thread, and the one that watches it."""
        self._thread.start()
        self._watchdog.start()

    def post(self, command: Command) -> None:
        """Have the thread run something between two turns; never run if the engine has failed."""
        self._commands.put(command)

    def stop(self) -> None:
        """End the thread once it has run what was posted so far, and wait for that."""

        def stop() -> None:
            self._stopping = True

        self.post(stop)
        if threading.current_thread() is not self._thread:
            while self._thread.is_alive() and not self.failed.done():
                self._thread.join(_POLL_S)
        self._watchdog.stop()

    def fail(self, reason: str, cause: BaseException | None = None) -> None:
        """Declare the engine failed, unless it has already; from any thread.

        Those who wait learn it before the log does: nothing may keep it from them.
        """
        error = EngineFailedError(reason)
        error.__cause__ = cause
        with self._failing:
            if self.failed.done():
                return
            self.failed.set_result(error)
        logger.critical("%s", error, exc_info=cause)

    def _run(self) -> None:
        try:
            if self._threads is not None:
                compute_with(self._threads)
            with torch.inference_mode():
                while not self._stopping and not self.failed.done():
                    self._run_once()
                if not self.failed.done():
                    self._work.end()
        except BaseException as error:  # SystemExit, too: nobody else would learn that it ended
            self.fail(f"{type(error).__name__}: {error}", error)
        finally:
            self._watchdog.rest()

    def _run_once(self) -> None:
        self._watchdog.begin()
        while not self._commands.empty():
            self._commands.get()()
        timeout = 0.0 if self._stopping else self._work.turn()
        if timeout != 0:
            self._watchdog.rest()
            self._wait(timeout)

    def _wait(self, timeout: float | None) -> None:
        begin = time.monotonic()
        try:
            command = self._commands.get(timeout=timeout)
        except queue.Empty:
            return
        finally:
            self._work.note_wait(time.monotonic() - begin)
        self._watchdog.begin()
        command()

    def _give_up_on(self, seconds: float) -> None:
        self.fail(f"a step has not come back for {seconds:.0f} s")
