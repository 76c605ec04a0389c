"""When a runtime ends: on a signal, with its parent, or when its standard input is closed.

A game that crashes must not leave a model in memory, so each of these ends the process by itself.
All of it lives in threads of its own: an event loop that is asked to end and does not answer, or
that hangs, is not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

logger = logging.getLogger(__name__)

POLL_S = 0.5
# How long the event loop may take to hear that the process should end, in seconds.
HEARS_S = 5.0
# After so many seconds without an answer the event loop is said to be blocked, and then given up.
BLOCKED_S = 2.0
GIVEN_UP_S = 60.0


class Lifetime:
    """Tells a running event loop once that, and why, the process should end."""

    def __init__(self, last_act: Callable[[], None] = lambda: None) -> None:
        """Take the running loop; nothing is watched yet.

        Args:
            last_act: What is still done, in a thread, when the process is ended the hard way.
        """
        self._loop = asyncio.get_running_loop()
        self._last_act = last_act
        self.reason = ""
        self.ended = asyncio.Event()
        """Set when the process should end."""
        self.hurried = asyncio.Event()
        """Set when that was asked for a second time: somebody has no patience."""

    def end(self, reason: str) -> None:
        """Ask for the end. To be called in the loop's thread."""
        if self.ended.is_set():
            self.hurried.set()
        else:
            self.reason = reason
            self.ended.set()

    def on_signals(self) -> None:
        """End on Ctrl-C, SIGTERM and, on Windows, Ctrl-Break. Only in the main thread.

        Python's own handlers run in the main thread, which may be busy for ever; the number of a
        signal arrives at a socket whatever it does.
        """
        signals = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            signals.append(signal.SIGBREAK)
        arrivals, departures = socket.socketpair()
        departures.setblocking(False)
        signal.set_wakeup_fd(departures.fileno(), warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)

        def run() -> None:
            with departures:
                while numbers := arrivals.recv(16):
                    for number in numbers:
                        if number in signals:
                            self._ask(f"{signal.Signals(number).name} received")

        _start(run)

    def with_parent(self, pid: int) -> None:
        """End when the process with this id has ended; at once if there is none."""
        self._watch(lambda: wait_for_exit(pid), f"the parent process {pid} has ended")

    def with_stdin(self) -> None:
        """End when standard input is closed, which also happens when its writer dies."""
        self._watch(wait_for_closed_stdin, "standard input is closed")

    def watch_loop(self) -> None:
        """Say when the event loop is blocked, and where; end when it stays so."""
        owner = threading.get_ident()

        def run() -> None:
            while (answer := self._post(lambda: None)) is not None:
                if not wait_awake(answer, BLOCKED_S):
                    stack = sys._current_frames().get(owner)
                    where = "".join(traceback.format_stack(stack)) if stack else "unknown"
                    logger.warning("the event loop is blocked, at:\n%s", where)
                    if not wait_awake(answer, GIVEN_UP_S - BLOCKED_S):
                        self.end_hard(f"the event loop has been blocked for {GIVEN_UP_S:g} s")
                    logger.warning("the event loop goes on")
                time.sleep(POLL_S)

        _start(run)
        _start(_keep_alive)

    def end_hard_after(self, seconds: float) -> None:
        """End this process after so many seconds, whatever its threads do by then."""

        def run() -> None:
            wait_awake(threading.Event(), seconds)
            self.end_hard("the orderly end took too long")

        _start(run)

    def end_hard(self, reason: str) -> NoReturn:
        """End this process now, with status 1. From any thread but the loop's."""
        logger.critical("%s; ending now", reason)
        last = threading.Thread(target=self._last_act, daemon=True)
        last.start()
        last.join(timeout=2.0)
        os._exit(1)

    def _watch(self, wait: Callable[[], None], reason: str) -> None:
        def run() -> None:
            wait()
            self._ask(reason)

        _start(run)

    def _ask(self, reason: str) -> None:
        """Have the loop end; if it does not listen, end without it."""
        heard = self._post(lambda: self.end(reason))

        def run() -> None:
            if heard is not None and not wait_awake(heard, HEARS_S):
                self.end_hard(f"{reason}, and the event loop does not answer")

        _start(run)

    def _post(self, callback: Callable[[], None]) -> threading.Event | None:
        """Have the loop call something; return what is set once the loop has gone on from it.

        That is two rounds later: what the call wakes up has run by then. A loop that hears that it
        should end and hangs at once has not answered. None if the loop is closed.
        """
        done = threading.Event()

        def call() -> None:
            callback()
            self._loop.call_soon(self._loop.call_soon, done.set)

        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            return None
        return done


def _start(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="townsfolk-lifetime", daemon=True).start()


def _keep_alive() -> None:
    """Have the kernel end this process when something computes and lets no thread of Python run."""
    if sys.platform == "win32":
        return
    # Processor time of all threads together: ten times what they can take until it is set anew.
    limit = max(GIVEN_UP_S, 10 * POLL_S * (os.cpu_count() or 1))
    while True:
        signal.setitimer(signal.ITIMER_PROF, limit)
        time.sleep(POLL_S)


def wait_awake(event: threading.Event, seconds: float) -> bool:
    """Wait for an event; return whether it came in so many seconds.

    Those count in which this process ran: one that was stopped has not been slow.
    """
    while seconds > 0:
        began = time.monotonic()
        if event.wait(min(POLL_S, seconds)):
            return True
        seconds -= min(time.monotonic() - began, 2 * POLL_S)
    return False


def wait_for_closed_stdin() -> None:
    """Return when standard input is at its end; what comes before is thrown away."""
    with contextlib.suppress(OSError):  # it never was open
        while os.read(0, 4096):
            pass


def wait_for_exit(pid: int) -> None:
    """Return when the process has ended. It need not be a child of this one."""
    if sys.platform == "win32":
        _wait_for_exit_windows(pid)
    elif hasattr(os, "pidfd_open"):
        _wait_for_exit_linux(pid)
    else:
        _wait_by_polling(pid)


def _wait_for_exit_linux(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:  # a kernel older than 5.3, or a sandbox that forbids the call
        _wait_by_polling(pid)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    finally:
        os.close(descriptor)


def _wait_by_polling(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it lives, under another user
        time.sleep(POLL_S)


def _wait_for_exit_windows(pid: int) -> None:
    if sys.platform != "win32":  # so that type checkers skip what only Windows has
        raise NotImplementedError
    import ctypes

    synchronize, forever = 0x00100000, 0xFFFFFFFF
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.OpenProcess.restype = ctypes.c_void_p
    process = kernel32.OpenProcess(synchronize, False, pid)
    if not process:
        return
    handle = ctypes.c_void_p(process)
    kernel32.WaitForSingleObject(handle, forever)
    kernel32.CloseHandle(handle)
