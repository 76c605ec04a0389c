"""A model where it lies: what it is, and its tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from townsfolk.checkpoint import Checkpoint
from townsfolk.models.families import read_config
from townsfolk.models.names import Architecture
from townsfolk.models.spec import UnsupportedModelError


class ModelSource(Protocol):
    """A model in some file format."""

    def architecture(self) -> Architecture:
        """What the model computes, and the names of its tensors.

        Raises:
            UnsupportedModelError: its metadata are missing or malformed, or it has a feature that
                this engine does not implement.
        """

    def checkpoint(self) -> Checkpoint:
        """Its tensors.

        Raises:
            CheckpointError: they can't be read.
        """


class HuggingFaceDirectory:
    """`config.json`, perhaps `generation_config.json`, and one or several `*.safetensors`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def architecture(self) -> Architecture:
        """See `ModelSource`."""
        raw = _read_json(self._directory / "config.json")
        generation = self._directory / "generation_config.json"
        return read_config(raw, _read_json(generation) if generation.exists() else {})

    def checkpoint(self) -> Checkpoint:
        """See `ModelSource`."""
        return Checkpoint(self._directory)


def open_source(path: Path) -> ModelSource:
    """The model at `path`; nothing is read yet."""
    return HuggingFaceDirectory(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnsupportedModelError(
            f"{path} does not exist; a model directory holds config.json, tokenizer.json and "
            "*.safetensors"
        ) from None
    except (OSError, ValueError) as error:
        raise UnsupportedModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(contents, dict):
        raise UnsupportedModelError(f"{path} does not hold a JSON object")
    return contents
