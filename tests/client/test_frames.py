"""The clients tell a runtime of their frames, and have it release and warm its model."""

from __future__ import annotations

import time

import pytest
from townsfolk.client import AsyncRuntime, InvalidArgumentError, Runtime
from townsfolk.client.frames import AsyncFrames
from townsfolk.v1 import townsfolk_pb2 as pb


def paces(stats, wanted):
    """Wait until a pace is shown, or none, and return it."""
    ends = time.monotonic() + 300
    for each in stats:
        if each.HasField("pace") == wanted:
            return each.pace
        if time.monotonic() > ends:
            break
    raise AssertionError("the pace did not come, or did not go")


def test_frames_are_reported_while_the_context_lasts(runtime):
    with Runtime.connect(f"{runtime.address}:{runtime.port}", runtime.token) as connected:
        with connected.frames(120, "smooth") as frames:
            for _ in range(30):
                frames.begin()
                time.sleep(1 / 120)
                frames.end(0.003)
            pace = paces(connected.watch_stats(0.05), True)
            assert pace.policy == pb.PACE_POLICY_SMOOTH
            assert 0 < pace.budget_ms < pace.frame_ms
        paces(connected.watch_stats(0.05), False)


async def test_the_model_is_released_and_warmed(runtime):
    async with AsyncRuntime.connect(
        f"{runtime.address}:{runtime.port}", runtime.token
    ) as connected:
        assert await connected.release(until_warm=True) > 0
        assert (await connected.info()).model_state == pb.MODEL_STATE_RELEASED
        assert await connected.warm() > 0
        assert (await connected.info()).model_state == pb.MODEL_STATE_LOADED


@pytest.mark.parametrize(
    ("rate", "policy", "message"),
    [(0, "smooth", "frames_per_second"), (60, "best", "policy"), (float("nan"), "fast", "frames")],
)
def test_what_can_not_be_is_refused(rate, policy, message):
    with pytest.raises(InvalidArgumentError, match=message):
        AsyncFrames(None, rate, policy)


def test_a_report_has_all_frames_since_the_last():
    frames = AsyncFrames(None, 60, "fast")
    for _ in range(3):
        frames.begin()
        frames.end(0.004)
    first, second = frames.report(), frames.report()
    assert [frame.busy_us for frame in first.frames] == [4000] * 3
    ages = [frame.age_us for frame in first.frames]
    assert ages == sorted(ages, reverse=True)
    assert len(second.frames) == 0
    assert first.target_us == 16667
    assert first.reporter == second.reporter != ""
    assert first.clock_us <= second.clock_us
    assert first.ByteSize() < 70
