"""The engine's counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from townsfolk.engine.stats import EngineStats, ModelState
from townsfolk.service.messages.frames import pace_message
from townsfolk.v1 import townsfolk_pb2

MODEL_STATES: Mapping[ModelState, townsfolk_pb2.ModelState] = {
    ModelState.LOADED: townsfolk_pb2.MODEL_STATE_LOADED,
    ModelState.RELEASED: townsfolk_pb2.MODEL_STATE_RELEASED,
    ModelState.LOADING: townsfolk_pb2.MODEL_STATE_LOADING,
}


def stats_message(stats: EngineStats, sessions: int) -> townsfolk_pb2.WatchStatsResponse:
    """Return the counters; the fields have the engine's names."""
    fields = asdict(stats) | {
        "model_state": MODEL_STATES[stats.model_state],
        "decode_steps": townsfolk_pb2.StepTimes(**asdict(stats.decode_steps)),
        "prompt_steps": townsfolk_pb2.StepTimes(**asdict(stats.prompt_steps)),
        "pace": None if stats.pace is None else pace_message(stats.pace),
    }
    return townsfolk_pb2.WatchStatsResponse(sessions=sessions, **fields)
