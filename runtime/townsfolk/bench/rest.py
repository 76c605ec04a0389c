"""Waiting until a runtime has done what it does in the background, such as compiling kernels."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

_SAMPLE_S = 0.1
_SAMPLES = 4  # at rest one after the other
_AT_REST = 0.3  # share of a core; what polls takes less, what compiles takes more
_PAUSE_S = 5.0  # where processor time can't be read


def rest(pid: int, most_s: float = 120.0) -> None:
    """Wait until a process and its children take next to no processor time.

    Args:
        pid: the process.
        most_s: how long to wait at most.
    """
    if not Path("/proc/self/stat").exists():
        time.sleep(_PAUSE_S)
        return
    deadline = time.monotonic() + most_s
    resting, used, at = 0, processor_seconds(pid), time.monotonic()
    while resting < _SAMPLES and at < deadline:
        time.sleep(_SAMPLE_S)
        before, since = used, at
        used, at = processor_seconds(pid), time.monotonic()
        resting = resting + 1 if used - before < _AT_REST * (at - since) else 0


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that a process and all below it have taken; Linux only."""
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
    family, total = [pid], 0
    while family:
        member = family.pop()
        total += ticks.get(member, 0)
        family += children[member]
    return total / os.sysconf("SC_CLK_TCK")
