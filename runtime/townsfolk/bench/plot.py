"""A picture of a report: of the tavern, speed against the number of characters; of frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from townsfolk.bench import frames_plot

_PICTURES = ("tavern", "render")
_AXES = (
    ("tokens a second", ("tok/s",)),
    ("TTFT of later turns, ms", ("TTFT later p50 ms", "TTFT later p99 ms")),
    ("inter-token time, ms", ("inter-token p50 ms", "inter-token p99 ms")),
)


class PlotError(Exception):
    """There is nothing to plot, or nothing to plot with; the message says what to do."""


def read_report(path: Path) -> Mapping[str, Any]:
    """Return the last report with a picture in a file that holds what `townsfolk bench` printed.

    Raises:
        PlotError: there is none.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise PlotError(f"{path} can't be read: {error}") from None
    for line in reversed(lines):
        try:
            report: Mapping[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(report, dict) and report.get("bench") in _PICTURES:
            return report
    raise PlotError(f"{path} holds no JSON line of `townsfolk bench --tavern` or `--render`")


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw a report of a tavern, its peer's recorded figures beside ours, or of frames.

    Raises:
        PlotError: matplotlib is missing, or the file can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise PlotError("--plot needs matplotlib: pip install 'townsfolk[train]'") from None
    if report["bench"] == "render":
        figure = Figure(figsize=frames_plot.size(report["rows"]), layout="constrained")
        frames_plot.draw(figure, report)
    else:
        figure = Figure(figsize=(13, 4.2), layout="constrained")
        _draw_tavern(figure, report)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise PlotError(f"{path} can't be written: {error}") from None


def _draw_tavern(figure: Any, report: Mapping[str, Any]) -> None:
    rows = sorted(report["rows"], key=lambda row: int(row["NPCs"]))
    where = report.get("gpu") or report["cpu"]
    figure.suptitle(
        f"{report['shape']} {report['dtype']}, {where}, {report['way']}: "
        f"{report['turns']} turns, pauses of {report['thinking_s']:g} s on average"
    )
    for axis, (title, columns) in zip(figure.subplots(1, len(_AXES)), _AXES, strict=True):
        for column in columns:
            style = "--" if "p99" in column else "-"
            label = f"Townsfolk{_rank(column)}"
            axis.plot(*_points(rows, column), f"o{style}", color="tab:blue", label=label)
            peer = _points(rows, f"peer {column}")
            if peer[0]:
                label = f"llama.cpp (recorded){_rank(column)}"
                axis.plot(*peer, f"s{style}", color="tab:orange", label=label)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks([row["NPCs"] for row in rows], [str(row["NPCs"]) for row in rows])
        axis.set_xlabel("characters")
        axis.set_title(title)
        axis.grid(True, which="both", alpha=0.3)
        axis.legend(fontsize="small")


def _rank(column: str) -> str:
    return "".join(f", {rank}" for rank in ("p50", "p99") if rank in column)


def _points(rows: Sequence[Mapping[str, Any]], column: str) -> tuple[list[int], list[float]]:
    points = [(row["NPCs"], row[column]) for row in rows if row.get(column)]
    return [npcs for npcs, _ in points], [value for _, value in points]
