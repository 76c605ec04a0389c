"""Frames of games, and how steps keep out of their way."""

from __future__ import annotations

from dataclasses import asdict

from townsfolk.engine.pacing import Frame, FrameReport, PacePolicy, PaceStats
from townsfolk.service.errors import InvalidRequestError
from townsfolk.v1 import townsfolk_pb2 as pb

MAX_REPORTER_BYTES = 64
MIN_TARGET_US, MAX_TARGET_US = 1_000, 1_000_000
MAX_FRAMES = 256
MAX_FRAME_US = 10_000_000

_POLICIES = {
    pb.PACE_POLICY_UNSPECIFIED: PacePolicy.BALANCED,
    pb.PACE_POLICY_SMOOTH: PacePolicy.SMOOTH,
    pb.PACE_POLICY_BALANCED: PacePolicy.BALANCED,
    pb.PACE_POLICY_FAST: PacePolicy.FAST,
}
_POLICY_NUMBERS = {
    PacePolicy.SMOOTH: pb.PACE_POLICY_SMOOTH,
    PacePolicy.BALANCED: pb.PACE_POLICY_BALANCED,
    PacePolicy.FAST: pb.PACE_POLICY_FAST,
}


def frame_report(message: pb.ReportFramesRequest, arrived: float) -> FrameReport:
    """Return what a game tells of its frames, which came at this time of the monotonic clock.

    Raises:
        InvalidRequestError: A field is not allowed; the message names it.
    """
    if len(message.reporter.encode()) > MAX_REPORTER_BYTES:
        raise InvalidRequestError(f"reporter: is too long (allowed: {MAX_REPORTER_BYTES} bytes)")
    if not message.done and not MIN_TARGET_US <= message.target_us <= MAX_TARGET_US:
        raise InvalidRequestError(
            f"target_us: is {message.target_us} (allowed: {MIN_TARGET_US} to {MAX_TARGET_US})"
        )
    if message.policy not in _POLICIES:
        raise InvalidRequestError(f"policy: is {message.policy}, which is no PacePolicy")
    if len(message.frames) > MAX_FRAMES:
        raise InvalidRequestError(
            f"frames: are {len(message.frames)} (allowed: {MAX_FRAMES} in a report)"
        )
    for frame in message.frames:
        for name, value in (("age_us", frame.age_us), ("busy_us", frame.busy_us)):
            if value > MAX_FRAME_US:
                raise InvalidRequestError(f"{name}: is {value} (allowed: up to {MAX_FRAME_US})")
    return FrameReport(
        reporter=message.reporter,
        arrived=arrived,
        clock=message.clock_us / 1e6,
        target_s=message.target_us / 1e6,
        policy=_POLICIES[message.policy],
        frames=[Frame(frame.age_us / 1e6, frame.busy_us / 1e6) for frame in message.frames],
        done=message.done,
    )


def pace_message(pace: PaceStats) -> pb.FramePace:
    """Return how steps keep out of the way of frames; the fields have the engine's names."""
    return pb.FramePace(**asdict(pace) | {"policy": _POLICY_NUMBERS[pace.policy]})
