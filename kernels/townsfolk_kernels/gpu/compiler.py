"""Compiles kernels beforehand, many at once.

Triton compiles a kernel when it is launched for the first time, which takes 0.2 to 4 seconds and
stops the thread that launches it. Here the launches of a step are only noted, by Triton's own hook,
and none happens; then threads compile what was noted. Four fifths of that time don't hold Python's
lock: two threads took 4.8 s for twice the work that took one 4.5 s, and another thread that woke
every millisecond meanwhile did so 6 ms late at the 99th percentile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from triton import knobs

from townsfolk_kernels.gpu.kernel import only_compiled

_MOST_THREADS = 12


class KernelCompiler:
    """Threads that compile, until it is closed."""

    def __init__(self, threads: int | None = None) -> None:
        """Take all processors but one, where the number of threads is not given."""
        most = threads or max(1, min((os.cpu_count() or 2) - 1, _MOST_THREADS))
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="townsfolk-compile")
        self._at_once = most
        self._compiling = 0
        self._changed = threading.Condition()
        self._futures: dict[tuple[str, str], Future[None]] = {}

    def compile(self, run: Callable[[], object]) -> list[Future[None]]:
        """Begin to compile what `run` launches and was never compiled in this process.

        No kernel is launched; all else in `run` happens. Others may launch kernels in other threads
        meanwhile, but only one thread may be in here.

        Returns:
            what is done once the kernels are compiled, or has their error.
        """
        found: list[Future[None]] = []
        own = threading.get_ident()

        def note(*, fn: Any, compile: dict[str, Any], **facts: Any) -> bool:  # noqa: A002
            if threading.get_ident() != own:
                return False
            data = compile["specialization_data"]
            key = (f"{fn.module}.{fn.name}", data)
            if key not in self._futures:
                self._futures[key] = self._pool.submit(self._preload, fn.jit_function, data)
            found.append(self._futures[key])
            return True

        before = knobs.runtime.jit_cache_hook
        knobs.runtime.jit_cache_hook = note
        try:
            with only_compiled():
                run()
        finally:
            knobs.runtime.jit_cache_hook = before
        return found

    def slow_down(self) -> None:
        """Compile one kernel at a time from now on, once those under way are done."""
        with self._changed:
            self._at_once = 1

    def close(self) -> None:
        """Compile nothing more; who waits for that finds it cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _preload(self, function: Any, data: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._compiling < self._at_once)
            self._compiling += 1
        try:
            kernel = function.preload(data)
            if kernel is not None:
                _ = kernel.run  # builds its launcher, too, and loads it
        finally:
            with self._changed:
                self._compiling -= 1
                self._changed.notify_all()
