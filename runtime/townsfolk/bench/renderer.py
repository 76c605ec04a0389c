"""A stand-in for a game: a process that keeps the processor busy for so long in every frame.

It draws no picture. On a GPU it is a CUDA program that multiplies matrices on a stream of high
priority, and on the CPU one that multiplies them in one thread; the report names which.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import torch

from townsfolk.bench.answer import MeasurementError
from townsfolk.client import Runtime
from townsfolk.client.process import Endpoint

_SIDE = {"cuda": 2048, "cpu": 256}  # of the matrices: a product takes a small part of a frame
_CALIBRATED_S = 0.5
LEAD_IN_S = 1.0  # before frames count: until the runtime knows them


@dataclass(frozen=True, slots=True)
class Frames:
    """What a renderer is to draw.

    Attributes:
        frame_s: from one frame's beginning to the next.
        work_s: how long a frame keeps the processor busy when nothing else does.
        seconds: for how long it draws.
        policy: by which it has the runtime pace itself; None to report nothing.
    """

    frame_s: float
    work_s: float
    seconds: float
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What became of the frames.

    Attributes:
        times_s: from each frame's beginning until its work was done.
        missed: frames whose work was not done when the next one should have begun.
    """

    times_s: list[float]
    missed: int


class Work(Protocol):
    """Keeps a processor busy."""

    def run(self, times: int) -> float:
        """Do a piece of work so many times; return how long that took, in seconds."""


class _CudaWork:
    def __init__(self) -> None:
        _, highest = torch.cuda.Stream().priority_range()
        self._stream = torch.cuda.Stream(priority=highest)
        side = _SIDE["cuda"]
        with torch.cuda.stream(self._stream):
            self._a, self._b, self._c = (
                torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(3)
            )
        self._begin, self._end = (
            torch.cuda.Event(enable_timing=True, blocking=True) for _ in range(2)
        )

    def run(self, times: int) -> float:
        with torch.cuda.stream(self._stream):
            self._begin.record()
            for _ in range(times):
                torch.mm(self._a, self._b, out=self._c)
            self._end.record()
        self._end.synchronize()
        milliseconds: float = self._begin.elapsed_time(self._end)
        return milliseconds / 1000


class _CpuWork:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._a, self._b = (torch.randn(_SIDE["cpu"], _SIDE["cpu"]) for _ in range(2))

    def run(self, times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            torch.mm(self._a, self._b)
        return time.perf_counter() - begin


class Renderer:
    """A process that draws frames, beside whatever else runs."""

    def __init__(self, device: torch.device, endpoint: Endpoint) -> None:
        """Start the process; it reports its frames to the runtime there."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(theirs, device.type, endpoint), daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()

    @staticmethod
    def name(device: torch.device) -> str:
        """What a report calls it."""
        if device.type == "cuda":
            return "CUDA matrix products on a stream of high priority, no graphics"
        return "matrix products in one CPU thread, no graphics"

    def begin(self, frames: Frames) -> None:
        """Have it draw."""
        self._pipe.send(frames)

    def result(self) -> Drawn:
        """Wait until it has drawn; return what became of the frames.

        Raises:
            MeasurementError: the process failed.
        """
        drawn: Drawn = self._receive()
        return drawn

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()

    def _receive(self) -> Any:
        try:
            result = self._pipe.recv()
        except EOFError:
            raise MeasurementError("the renderer died; see its message above") from None
        if isinstance(result, Exception):
            raise result
        return result


def _run(pipe: Connection, device: str, endpoint: Endpoint) -> None:
    try:
        with Runtime.connect(endpoint.address, endpoint.token) as runtime:
            work: Work = _CudaWork() if device == "cuda" else _CpuWork()
            each_s = _calibrate(work)
            pipe.send("ready")
            while True:
                frames: Frames = pipe.recv()
                pipe.send(_draw(runtime, work, max(round(frames.work_s / each_s), 1), frames))
    except EOFError:
        pass  # the bench is done
    except Exception as error:
        pipe.send(MeasurementError(f"the renderer failed: {error}"))


def _calibrate(work: Work) -> float:
    """Seconds that one piece of work takes when nothing else runs."""
    work.run(50)
    times, taken = 0, 0.0
    while taken < _CALIBRATED_S:
        taken += work.run(20)
        times += 20
    return taken / times


def _draw(runtime: Runtime, work: Work, times: int, frames: Frames) -> Drawn:
    found, missed = [], 0
    with _reported(runtime, frames) as report:
        begin = time.perf_counter()
        counts_from = begin + LEAD_IN_S
        end = counts_from + frames.seconds
        while begin < end:
            time.sleep(max(begin - time.perf_counter(), 0.0))
            report.begin()
            busy = work.run(times)
            report.end(busy)
            done = time.perf_counter()
            counts = begin >= counts_from
            if counts:
                found.append(done - begin)
            begin += frames.frame_s
            if done > begin:  # it is shown with the next one
                missed += counts
                begin += frames.frame_s * ((done - begin) // frames.frame_s + 1)
    return Drawn(found, missed)


class _Reported(Protocol):
    def begin(self) -> None: ...
    def end(self, busy_s: float | None = None) -> None: ...


class _Unreported:
    def begin(self) -> None:
        pass

    def end(self, busy_s: float | None = None) -> None:
        pass


@contextlib.contextmanager
def _reported(runtime: Runtime, frames: Frames) -> Iterator[_Reported]:
    if frames.policy is None:
        yield _Unreported()
        return
    with runtime.frames(1 / frames.frame_s, frames.policy) as report:
        yield report
