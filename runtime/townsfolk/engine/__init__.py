"""The engine: requests, the scheduler, the runner and the loop that ties them together."""

from townsfolk.engine.engine import Engine
from townsfolk.engine.errors import (
    DeadlineExceededError,
    DeviceNotFoundError,
    EngineClosedError,
    EngineError,
    EngineFailedError,
    EngineOverloadedError,
    GenerationFailedError,
    InvalidPromptError,
    ModelReloadError,
    NotEnoughMemoryError,
    PromptTooLongError,
    UnfitSettingError,
)
from townsfolk.engine.generation import Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta, TokenInfo, Usage
from townsfolk.engine.residency import ModelState
from townsfolk.engine.stats import EngineStats

__all__ = [
    "Completion",
    "DeadlineExceededError",
    "DeviceNotFoundError",
    "Engine",
    "EngineClosedError",
    "EngineError",
    "EngineFailedError",
    "EngineInfo",
    "EngineOverloadedError",
    "EngineStats",
    "FinishReason",
    "Generation",
    "GenerationFailedError",
    "InvalidPromptError",
    "ModelReloadError",
    "ModelState",
    "NotEnoughMemoryError",
    "PromptTooLongError",
    "TextDelta",
    "TokenInfo",
    "UnfitSettingError",
    "Usage",
]
