"""Waiting until a runtime has done what it does in the background, such as compiling kernels."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

_SAMPLE_S = 0.1
_SAMPLES = 4  # at rest one after the other
_AT_REST = 0.3  # share of a core that is wanted; what polls wants less, what compiles wants more
_PAUSE_S = 5.0  # where processor time can't be read


def rest(pid: int, most_s: float = 120.0) -> None:
    """Wait until a process and its children want next to no processor time.

    On a busy machine what works may get little of it: what it has to wait for counts as well.

    Args:
        pid: the process.
        most_s: how long to wait at most.
    """
    if not Path("/proc/self/stat").exists():
        time.sleep(_PAUSE_S)
        return
    deadline = time.monotonic() + most_s
    resting, wanted, at = 0, _wanted_seconds(pid), time.monotonic()
    while resting < _SAMPLES and at < deadline:
        time.sleep(_SAMPLE_S)
        before, since = wanted, at
        wanted, at = _wanted_seconds(pid), time.monotonic()
        resting = resting + 1 if wanted - before < _AT_REST * (at - since) else 0


def processor_seconds(pid: int) -> float:
    """Return the seconds of processor time of a process and all below it; Linux only."""
    return _family(pid)[1]


def _wanted_seconds(pid: int) -> float:
    """Return the processor time that a family has taken and what it has waited for more."""
    members, taken = _family(pid)
    waited = 0
    for member in members:
        for path in Path(f"/proc/{member}/task").glob("*/schedstat"):
            try:
                waited += int(path.read_text("utf-8").split()[1])  # nanoseconds ready to run
            except (OSError, IndexError):
                continue  # it ended just now, or the kernel does not count
    return taken + waited / 1e9


def _family(pid: int) -> tuple[list[int], float]:
    """Return a process and all below it, and seconds of processor time that they have taken."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            line = path.read_text("utf-8", errors="replace")
        except OSError:
            continue  # it ended just now
        # The name stands in parentheses and may hold anything; see proc(5) for the fields.
        fields = line.rpartition(")")[2].split()
        number = int(path.parent.name)
        children[int(fields[1])].append(number)
        ticks[number] = sum(map(int, fields[11:15]))  # own and waited-for children's
    members = [pid]
    for member in members:  # which grows
        members += children[member]
    total = sum(ticks.get(member, 0) for member in members)
    return members, total / os.sysconf("SC_CLK_TCK")
