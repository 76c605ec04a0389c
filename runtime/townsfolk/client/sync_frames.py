"""Tells a runtime of this program's frames, for code without asyncio."""

from __future__ import annotations

from types import TracebackType

from townsfolk.client.frames import AsyncFrames
from townsfolk.client.portal import Portal


class Frames:
    """Frames of this program; use it as a context manager, and mark each frame."""

    def __init__(self, portal: Portal, frames: AsyncFrames) -> None:
        """Made by `Runtime.frames`."""
        self._portal = portal
        self._frames = frames

    def begin(self) -> None:
        """Say that a frame's work begins now on the processor that both use."""
        self._frames.begin()

    def end(self, busy_s: float | None = None) -> None:
        """Say that the frame's work is done; see `AsyncFrames.end`."""
        self._frames.end(busy_s)

    def __enter__(self) -> Frames:
        self._portal.run(self._frames.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal.run(self._frames.__aexit__(kind, error, traceback))
