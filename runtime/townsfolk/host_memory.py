"""Memory of this machine, as far as the system tells."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def total_bytes() -> int | None:
    """Return all of it, in bytes; None where the system doesn't tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def available_bytes() -> int | None:
    """Return the bytes that programs can still get; all where the system doesn't tell."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return total_bytes()
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return total_bytes()
