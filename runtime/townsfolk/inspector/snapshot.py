"""All that can be seen of a runtime at one moment."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from townsfolk.client import AsyncRuntime, NotFoundError
from townsfolk.v1 import townsfolk_pb2 as pb


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session: what a saved game keeps of it, and how its last turns went."""

    summary: pb.SessionSummary
    saved: pb.GetSessionResponse
    seen: pb.InspectSessionResponse


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A runtime at one moment, `time` in seconds since 1970."""

    time: float
    info: pb.GetRuntimeInfoResponse
    stats: pb.WatchStatsResponse
    sessions: tuple[SessionView, ...]
    errors: tuple[pb.ErrorReport, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with the contract's names."""
        return {
            "time": self.time,
            "info": _plain(self.info),
            "stats": _plain(self.stats),
            "errors": [_plain(error) for error in self.errors],
            "sessions": [
                {
                    "summary": _plain(view.summary),
                    "saved": _plain(view.saved),
                    "seen": _plain(view.seen),
                }
                for view in self.sessions
            ],
        }


async def take(runtime: AsyncRuntime) -> Snapshot:
    """Look at a runtime and all its sessions.

    Raises:
        TownsfolkError: It can't be reached, or refuses.
    """
    info, summaries, errors, stats = await asyncio.gather(
        runtime.info(), runtime.sessions(), runtime.errors(), _stats(runtime)
    )
    views = [await _view(runtime, summary) for summary in summaries]
    there = tuple(view for view in views if view is not None)
    return Snapshot(time.time(), info, stats, there, tuple(errors))


async def _view(runtime: AsyncRuntime, summary: pb.SessionSummary) -> SessionView | None:
    try:
        saved = await runtime.session(summary.session_id)
        seen = await runtime.inspect(summary.session_id)
    except NotFoundError:  # it has ended since
        return None
    return SessionView(summary, saved, seen)


async def _stats(runtime: AsyncRuntime) -> pb.WatchStatsResponse:
    async with aclosing(runtime.watch_stats()) as watching:
        return await anext(watching)


def _plain(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return plain
