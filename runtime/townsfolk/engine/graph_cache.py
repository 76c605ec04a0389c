"""The graphs of a runner, captured while no request is under way."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, wait
from typing import Generic, Protocol, TypeVar

from townsfolk_kernels.gpu.compiler import KernelCompiler

logger = logging.getLogger(__name__)

# A graph that is missed while others decode is made at once, but only so often: it takes 10 ms.
_PAUSE_S = 0.1
_POLL_S = 0.005


class Capturable(Protocol):
    """A step that can be captured."""

    def run(self) -> None:
        """Launch its operations one by one."""

    def capture(self) -> None:
        """Make its graph."""


Key = TypeVar("Key", bound=Hashable)
Graph = TypeVar("Graph", bound=Capturable)


class GraphCache(Generic[Key, Graph]):
    """Makes graphs one after the other: notes the kernels, has them compiled, captures.

    Nothing here waits for a compiler: threads compile, and a graph is captured once its kernels are
    there. Until then a step is launched operation by operation. Where there is nothing to compile,
    graphs are noted, too, while no request is under way: no first token waits for them.
    """

    def __init__(
        self, make: Callable[[Key], Graph], wanted: Sequence[Key], compiler: KernelCompiler
    ) -> None:
        """Begin with no graph.

        Args:
            make: makes a step ready to be captured.
            wanted: what to capture beforehand, in this order.
            compiler: of the kernels.
        """
        self._make = make
        self._compiler = compiler
        self._to_note = deque(wanted)
        self._to_capture: deque[Key] = deque()
        self._steps: dict[Key, Graph] = {}  # noted, with kernels that compile
        self._kernels: dict[Key, list[Future[None]]] = {}
        self._graphs: dict[Key, Graph] = {}
        # Kept: a pool of memory ends with its last graph, and could not be used again.
        self._failed: dict[Key, Graph | None] = {}
        self._began = self._captured_at = time.monotonic()
        self._is_told = False

    def begin(self, run: Callable[[], object], most_wait_s: float) -> None:
        """Compile kernels with all processors, before the first request; later one thread goes on.

        Threads that compile hold Python's lock a fifth of the time, and would make steps stumble.

        Args:
            run: launches what is needed in any case; its kernels are waited for.
            most_wait_s: how long those of graphs are waited for.

        Raises:
            Exception: a kernel that `run` launches can't be compiled.
        """
        needed = self._compiler.compile(run)
        while self._to_note and (needed or self._to_compile()):
            self._note(self._to_note.popleft())
        begin = time.monotonic()
        for kernel in needed:
            kernel.result()
        of_graphs = {kernel for kernels in self._kernels.values() for kernel in kernels}
        left = begin + most_wait_s - time.monotonic()
        _, late = wait(of_graphs, timeout=max(left, 0.0))
        self._compiler.slow_down()
        if late:
            logger.info("%d kernels are still to be compiled; one thread goes on", len(late))

    def get(self, key: Key) -> Graph | None:
        """Return a graph if it is there, or if its turn has come and it can be made at once."""
        graph = self._graphs.get(key)
        if graph is not None:
            return graph
        if key in self._failed or time.monotonic() - self._captured_at < _PAUSE_S:
            return None
        if key not in self._steps:
            if key in self._to_note:
                self._to_note.remove(key)
            self._note(key)
        elif self._is_compiled(key):
            self._capture(key)
        return self._graphs.get(key)

    def prepare(self) -> float | None:
        """Capture one graph, or note one; see `Runner.prepare`."""
        for key in self._to_capture:
            if self._is_compiled(key):
                self._capture(key)
                return 0.0
        if self._to_note:
            self._note(self._to_note.popleft())
            return 0.0
        if self._to_capture:
            return _POLL_S
        if not self._is_told:
            self._is_told = True
            seconds = time.monotonic() - self._began
            logger.info("%d graphs are ready after %.1f s", len(self._graphs), seconds)
        return None

    def close(self) -> None:
        """End the compiling, and free the graphs."""
        self._compiler.close()
        for made in (
            self._to_note,
            self._to_capture,
            self._steps,
            self._kernels,
            self._graphs,
            self._failed,
        ):
            made.clear()

    def _note(self, key: Key) -> None:
        try:
            step = self._make(key)
            self._kernels[key] = self._compiler.compile(step.run)
        except Exception as error:
            self._fail(key, None, error)
            return
        self._steps[key] = step
        self._to_capture.append(key)

    def _to_compile(self) -> bool:
        """Return whether what was noted last has to be compiled, as all else will, then."""
        return not self._kernels or bool(next(reversed(self._kernels.values())))

    def _is_compiled(self, key: Key) -> bool:
        return all(kernel.done() for kernel in self._kernels[key])

    def _capture(self, key: Key) -> None:
        step = self._steps.pop(key)
        self._to_capture.remove(key)
        try:
            for kernel in self._kernels.pop(key):
                kernel.result()
            step.capture()
        except Exception as error:
            self._fail(key, step, error)
            return
        self._graphs[key] = step
        self._captured_at = time.monotonic()

    def _fail(self, key: Key, step: Graph | None, error: Exception) -> None:
        logger.error("no graph of %s; its steps run without one", key, exc_info=error)
        self._failed[key] = step
