"""The rows of the debugger's tables."""

from __future__ import annotations

from datetime import datetime

from townsfolk.inspector.snapshot import SessionView
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.sampling_pb2 import FinishReason

SESSIONS = ("Character", "Session", "Lines", "Waits")
TURNS = (
    "Turn", "State", "Queued ms", "Prompt ms", "First token ms", "Total ms", "Tokens", "ms/token",
    "Prompt", "Cached",
)  # fmt: skip
ERRORS = ("Time", "Code", "Call", "Turn", "Message")


def session(view: SessionView) -> tuple[str, ...]:
    """Return a session's row."""
    name = view.summary.persona_name + (" *" if view.summary.speaking else "")
    lines, waits = view.summary.transcript_entries, view.seen.queued_turns
    return name, view.summary.session_id, str(lines), str(waits)


def turn(report: pb.TurnReport) -> tuple[str, ...]:
    """Return a turn's row; what is not known yet is empty."""
    state = _short(pb.TurnState.Name(report.state), "TURN_STATE_")
    if report.finish_reason:
        state += f" ({_short(FinishReason.Name(report.finish_reason), 'FINISH_REASON_')})"
    times = (f"{report.queued_ms:.0f}", f"{report.prompt_ms:.1f}")
    total = f"{report.total_ms:.0f}"
    if not report.HasField("usage"):
        return report.turn_id, state, *times, "", total, "", "", "", ""
    usage = report.usage
    step = f"{1000 / usage.tokens_per_second:.1f}" if usage.tokens_per_second > 0 else ""
    return (
        report.turn_id, state, *times, f"{usage.time_to_first_token_ms:.0f}", total,
        str(usage.generated_tokens), step, str(usage.prompt_tokens), str(usage.cached_tokens),
    )  # fmt: skip


def errors(report: pb.ErrorReport) -> tuple[str, ...]:
    """Return an error's row."""
    when = datetime.fromtimestamp(report.unix_ms / 1000).strftime("%H:%M:%S")
    return when, report.code, report.method, report.turn_id, report.message


def step_times(times: pb.StepTimes) -> str:
    """Return what steps of one kind took, in short."""
    if not times.measured:
        return "-"
    return f"{times.p50_ms:.1f} ms (p99 {times.p99_ms:.1f})"


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()
