"""Tells a runtime of this program's frames, so that it computes between them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

from townsfolk.client.errors import InvalidArgumentError, TownsfolkError
from townsfolk.v1 import townsfolk_pb2 as pb

logger = logging.getLogger(__name__)

REPORT_S = 0.1
"""Between two reports."""
_MOST_FRAMES = 256  # of a report
_MOST_US = 10_000_000  # that a frame may be old, or busy

Send = Callable[[pb.ReportFramesRequest], Awaitable[None]]

POLICIES = {
    "smooth": pb.PACE_POLICY_SMOOTH,
    "balanced": pb.PACE_POLICY_BALANCED,
    "fast": pb.PACE_POLICY_FAST,
}


class AsyncFrames:
    """Frames of this program; use it as an async context manager, and mark each frame.

    `begin` and `end` may be called from any thread, and cost less than a microsecond or two: what
    they note is sent ten times a second.
    """

    def __init__(self, send: Send, frames_per_second: float, policy: str) -> None:
        """Made by `AsyncRuntime.frames`.

        Raises:
            InvalidArgumentError: There is no such policy, or nobody draws so many frames.
        """
        if policy not in POLICIES:
            raise InvalidArgumentError(f"policy: is {policy!r} (allowed: {', '.join(POLICIES)})")
        if not 1 <= frames_per_second <= 1000:
            raise InvalidArgumentError(
                f"frames_per_second: is {frames_per_second} (allowed: 1 to 1000)"
            )
        self._send = send
        self._reporter = secrets.token_hex(8)
        self._target_us = round(1e6 / frames_per_second)
        self._policy = POLICIES[policy]
        self._begin = 0.0
        self._frames: deque[tuple[float, float]] = deque(maxlen=_MOST_FRAMES)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Say that a frame's work begins now on the processor that both use."""
        self._begin = time.perf_counter()

    def end(self, busy_s: float | None = None) -> None:
        """Say that the frame's work is done.

        Args:
            busy_s: how long it kept the processor busy, in seconds, where that is known better,
                as from a GPU's own timers; the time since `begin` if not given.
        """
        busy = time.perf_counter() - self._begin if busy_s is None else busy_s
        self._frames.append((self._begin, busy))

    def report(self) -> pb.ReportFramesRequest:
        """Return the next report, with all frames since the last."""
        now = time.perf_counter()
        request = pb.ReportFramesRequest(
            reporter=self._reporter,
            clock_us=int(now * 1e6),
            target_us=self._target_us,
            policy=self._policy,
        )
        while self._frames:
            begin, busy = self._frames.popleft()
            age_us = max(int((now - begin) * 1e6), 0)
            if age_us <= _MOST_US:
                request.frames.add(age_us=age_us, busy_us=min(max(int(busy * 1e6), 1), _MOST_US))
        return request

    async def __aenter__(self) -> AsyncFrames:
        self._task = asyncio.create_task(self._report())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(TownsfolkError):
            await self._send(pb.ReportFramesRequest(reporter=self._reporter, done=True))

    async def _report(self) -> None:
        is_told = False
        while True:
            await asyncio.sleep(REPORT_S)
            try:
                await self._send(self.report())
                is_told = False
            except TownsfolkError as error:  # a game goes on without
                if not is_told:
                    logger.warning("frames can't be reported: %s", error)
                is_told = True
