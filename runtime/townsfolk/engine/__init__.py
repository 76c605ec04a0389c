"""The engine: requests, the scheduler, the runner and the loop that ties them together."""

from typing import TYPE_CHECKING

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
    ModelStaysError,
    NotEnoughMemoryError,
    PromptTooLongError,
    UnfitSettingError,
)
from townsfolk.engine.generation import Generation
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.interface import TextEngine
from townsfolk.engine.outputs import Completion, FinishReason, TextDelta, TokenInfo, Usage
from townsfolk.engine.stats import EngineStats, ModelState

if TYPE_CHECKING:
    from townsfolk.engine.engine import Engine

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
    "ModelStaysError",
    "NotEnoughMemoryError",
    "PromptTooLongError",
    "TextDelta",
    "TextEngine",
    "TokenInfo",
    "UnfitSettingError",
    "Usage",
]


def __getattr__(name: str) -> object:
    """Import the engine itself when it is asked for: PyTorch comes with it, and takes a second."""
    if name == "Engine":
        from townsfolk.engine.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
