"""A table for people and one JSON line, the last, for programs."""

from __future__ import annotations

import json
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from townsfolk import __version__

if TYPE_CHECKING:
    import torch

Row = Mapping[str, object]

FILE_WIDTH = 240


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def hardware() -> dict[str, object]:
    """Return the names and versions that a figure is worth nothing without."""
    import torch

    found: dict[str, object] = {
        "cpu": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "townsfolk": __version__,
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def gpu_name(device: torch.device) -> str | None:
    """Return the model of the GPU that a measurement ran on; None where it ran on a CPU."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def print_report(kind: str, rows: Sequence[Row], **facts: object) -> dict[str, object]:
    """Print the rows as a table, the facts below it, and everything as one JSON line; return it.

    Args:
        kind: The measurement's name.
        rows: One mapping a row, all with the same keys; floats are shown with three digits.
        facts: What holds for all rows.
    """
    # Wide enough for any table where the output is no terminal but a file.
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    table = Table(title=kind)
    for key in rows[0]:
        table.add_column(key, justify="right")
    for row in rows:
        table.add_row(*(_show(value) for value in row.values()))
    console.print(table)
    everything = {"bench": kind, **hardware(), **facts, "rows": [dict(row) for row in rows]}
    for name, value in everything.items():
        if name not in ("bench", "rows") and value is not None:
            print(f"{name}: {_show(value)}")
    print(json.dumps(everything), flush=True)
    return everything


def _show(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def median(values: Sequence[float]) -> float:
    """Return the middle of the values."""
    return float(statistics.median(values))
