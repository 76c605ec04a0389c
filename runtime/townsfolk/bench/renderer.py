"""A game's renderer: a process that keeps the processor busy for so long in every frame.

On a GPU it draws a town with OpenGL. Beside a model on the CPU it multiplies matrices in one
thread, unless it is to draw; the report names which.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol

import torch

from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.town import Town
from townsfolk.client import Runtime
from townsfolk.client.process import Endpoint

_SIDE = 256  # of the matrices: a product takes a small part of a frame
_NICE = -10  # of the renderer's process
_SMALL = (160, 90)  # pixels of a picture that no GPU of the runtime's draws: by a CPU, it may be
_SAMPLE = 12  # frames of each guess at how much work takes how long
_GUESSES = 5
_AWAKE_S = 0.002  # before a frame's turn
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
        begins: when each frame's turn came, in seconds of the process's clock.
        late_s: from there until the process was awake to begin it.
        times_s: from its turn until its work was done.
        work_s: what its work took, as the processor itself measures it.
        missed: frames whose work was not done when the next one should have begun.
    """

    begins: list[float]
    late_s: list[float]
    times_s: list[float]
    work_s: list[float]
    missed: int


Kind = Literal["town", "products"]


class Workload(Protocol):
    """Keeps a processor busy.

    Attributes:
        name: what a report calls it.
    """

    name: str

    def run(self, times: int) -> float:
        """Do a piece of work so many times; return how long that took, in seconds."""


class _Products:
    name = "matrix products in one CPU thread, no graphics"

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._a, self._b = (torch.randn(_SIDE, _SIDE) for _ in range(2))

    def run(self, times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            torch.mm(self._a, self._b)
        return time.perf_counter() - begin


class Renderer:
    """A process that draws frames, beside whatever else runs.

    Attributes:
        name: what draws, as a report says it.
    """

    def __init__(self, kind: Kind, device: torch.device, endpoint: Endpoint) -> None:
        """Start the process; it reports its frames to the runtime there.

        Raises:
            MeasurementError: it can't draw; the message says what is missing.
        """
        uuid = None
        if device.type == "cuda":
            uuid = str(torch.cuda.get_device_properties(device).uuid)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(theirs, kind, uuid, endpoint), daemon=True
        )
        self._process.start()
        theirs.close()
        self.name: str = self._receive()

    def calibrate(self, kinds: Sequence[Frames]) -> None:
        """Find how much work such frames need, while nothing else runs."""
        self._pipe.send(list(kinds))
        self._receive()

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


def _run(pipe: Connection, kind: Kind, uuid: str | None, endpoint: Endpoint) -> None:
    gc.disable()  # a game has none of this interpreter's pauses
    with contextlib.suppress(OSError, AttributeError):  # where it may ask for a rank, and can
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    try:
        with Runtime.connect(endpoint.address, endpoint.token) as runtime:
            work: Workload = _town(uuid) if kind == "town" else _Products()
            pipe.send(work.name)
            times: dict[tuple[float, float], int] = {}
            while True:
                asked: Frames | list[Frames] = pipe.recv()
                if isinstance(asked, Frames):
                    pipe.send(_draw(runtime, work, times[asked.frame_s, asked.work_s], asked))
                    continue
                for frames in asked:
                    times[frames.frame_s, frames.work_s] = _calibrate(work, frames)
                pipe.send("ready")
    except EOFError:
        pass  # the bench is done
    except MeasurementError as error:
        pipe.send(error)
    except Exception as error:
        pipe.send(MeasurementError(f"the renderer failed: {error}"))


def _town(uuid: str | None) -> Town:
    return Town(size=_SMALL) if uuid is None else Town(uuid)


def _calibrate(work: Workload, frames: Frames) -> int:
    """Return how often its piece of work is to be done in a frame, at the frames' rhythm."""
    times = 8
    for _ in range(_GUESSES):
        taken = []
        for _ in range(_SAMPLE):
            begin = time.perf_counter()
            taken.append(work.run(times))
            time.sleep(max(begin + frames.frame_s - time.perf_counter(), 0.0))
        times = max(round(times * frames.work_s / statistics.median(taken)), 1)
    return times


def _draw(runtime: Runtime, work: Workload, times: int, frames: Frames) -> Drawn:
    drawn, missed = [], 0
    with _reported(runtime, frames) as report:
        begin = time.perf_counter()
        counts_from = begin + LEAD_IN_S
        end = counts_from + frames.seconds
        while begin < end:
            _wait_until(begin)
            woke = time.perf_counter()
            report.begin()
            taken = work.run(times)
            report.end()
            done = time.perf_counter()
            counts = begin >= counts_from
            if counts:
                drawn.append((begin, woke - begin, done - begin, taken))
            begin += frames.frame_s
            if done > begin:  # it is shown with the next one
                missed += counts
                begin += frames.frame_s * ((done - begin) // frames.frame_s + 1)
    begins, late_s, times_s, work_s = (list(column) for column in zip(*drawn, strict=True))
    return Drawn(begins, late_s, times_s, work_s, missed)


def _wait_until(begin: float) -> None:
    """Wait as games do whose frames come evenly: the last bit without sleep, which ends late."""
    while (left := begin - time.perf_counter()) > 0:
        time.sleep(max(left - _AWAKE_S, 0.0))


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
