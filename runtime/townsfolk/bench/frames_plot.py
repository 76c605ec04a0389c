"""A picture of frames beside characters: what each does to the other, by how the runtime paces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_AXES: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
    ("frame time, p99, ms", lambda row: row["frame p99 ms"]),
    ("missed frames, % (log from 0.1)", lambda row: 100 * row["missed"] / _turns(row)),
    ("first token, p99, ms", lambda row: row["TTFT p99 ms"]),
    ("tokens/s of a character, slowest answer", lambda row: row["slowest"]),
)
_WAYS = {"no": ("not paced", "tab:red"), "fast": ("fast", "tab:orange")} | {
    "balanced": ("balanced", "tab:blue"),
    "smooth": ("smooth", "tab:green"),
}
_WIDTH, _HEIGHT = 16.0, 3.6  # inches, of a row of axes


def size(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the picture's size in inches, one row of axes for each kind of frames."""
    return _WIDTH, _HEIGHT * len(_kinds(rows)) + 0.6


def draw(figure: Any, report: Mapping[str, Any]) -> None:
    """Draw a report's rows on a matplotlib figure."""
    rows = report["rows"]
    where = report.get("gpu") or report["cpu"]
    figure.suptitle(
        f"{report['shape']} {report['dtype']} beside {report['renderer']}"
        f"{'' if where in report['renderer'] else ', ' + where}, {report['seconds']:g} s a point"
    )
    kinds = _kinds(rows)
    grid = figure.subplots(len(kinds), len(_AXES), squeeze=False)
    for line, kind in zip(grid, kinds, strict=True):
        of_kind = [row for row in rows if _kind(row) == kind]
        for axis, (title, value) in zip(line, _AXES, strict=True):
            _draw_axis(axis, of_kind, value)
            axis.set_ylim(bottom=0)
            axis.set_title(title, fontsize="medium")
        line[0].set_ylabel(f"{kind[0]:g} frames/s, {kind[1]:g} ms of work")
        line[0].axhline(1000 / kind[0], color="grey", linestyle=":", label="a frame")
        line[0].legend(fontsize="x-small")
        line[1].set_yscale("symlog", linthresh=0.1)


def _draw_axis(axis: Any, rows: Sequence[Row], value: Callable[[Row], float | None]) -> None:
    counts = sorted({row["NPCs"] for row in rows if row["NPCs"]})
    others = {row["paced"]: (row["paced"], "tab:purple") for row in rows if row["paced"]}
    for way, (label, colour) in (others | _WAYS).items():
        points = [(row["NPCs"], value(row)) for row in rows if row["paced"] == way]
        known = sorted((npcs, found) for npcs, found in points if found is not None)
        if known:
            axis.plot(*zip(*known, strict=True), "o-", color=colour, label=label)
    for row in rows:
        found = value(row)
        if row["NPCs"] or found is None:
            continue
        style = ("black", "nobody talks") if not row["paced"] else ("tab:purple", row["paced"])
        axis.axhline(found, color=style[0], linestyle="--", label=style[1])
    axis.set_xscale("log", base=2)
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.set_xlabel("characters")
    axis.grid(True, alpha=0.3)


def _kind(row: Row) -> tuple[float, float]:
    return round(row["frames/s"], 3), round(row["work ms"], 3)


def _kinds(rows: Sequence[Row]) -> list[tuple[float, float]]:
    return list(dict.fromkeys(_kind(row) for row in rows))


def _turns(row: Row) -> int:
    """Return the frames that should have been drawn: a missed one takes the next one's turn."""
    return int(row["frames"] + row["missed"])
