"""When a runtime ends: on a signal, with its parent, or when its standard input is closed.

A game that crashes must not leave a model in memory, so each of these ends the process by itself,
and a watchdog ends it the hard way should an orderly end take too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger(__name__)

POLL_S = 0.5


class Lifetime:
    """Tells a running event loop once that, and why, the process should end."""

    def __init__(self) -> None:
        """Take the running loop; nothing is watched yet."""
        self._loop = asyncio.get_running_loop()
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
        """End on Ctrl-C, SIGTERM and, on Windows, Ctrl-Break. Only in the main thread."""
        signals = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            signals.append(signal.SIGBREAK)

        def handle(number: int, _: FrameType | None) -> None:
            self._end_from_thread(f"{signal.Signals(number).name} received")

        for number in signals:
            signal.signal(number, handle)

    def with_parent(self, pid: int) -> None:
        """End when the process with this id has ended; at once if there is none."""
        self._watch(lambda: wait_for_exit(pid), f"the parent process {pid} has ended")

    def with_stdin(self) -> None:
        """End when standard input is closed, which also happens when its writer dies."""
        self._watch(wait_for_closed_stdin, "standard input is closed")

    def _watch(self, wait: Callable[[], None], reason: str) -> None:
        def run() -> None:
            wait()
            self._end_from_thread(reason)

        threading.Thread(target=run, name="townsfolk-lifetime", daemon=True).start()

    def _end_from_thread(self, reason: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end has come already
            self._loop.call_soon_threadsafe(self.end, reason)


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


def end_hard_after(seconds: float) -> None:
    """Kill this process after so many seconds, whatever its threads do by then."""

    def kill() -> None:
        logger.error("the orderly end took too long; ending now")
        os._exit(1)

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
