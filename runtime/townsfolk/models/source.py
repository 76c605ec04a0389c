"""A model where it lies: what it is, and its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from townsfolk.checkpoint import Checkpoint, GgufCheckpoint, TensorStore
from townsfolk.checkpoint.quantized import open_quantized
from townsfolk.models.families import read_config
from townsfolk.models.gguf import read_gguf
from townsfolk.models.names import Architecture
from townsfolk.models.spec import UnsupportedModelError
from townsfolk.text.files import TokenizerFiles
from townsfolk.text.gguf import tokenizer_files


class ModelSource(Protocol):
    """A model in some file format."""

    def architecture(self) -> Architecture:
        """Return what the model computes, and the names of its tensors.

        Raises:
            UnsupportedModelError: its metadata are missing or malformed, or it has a feature that
                this engine does not implement.
        """

    def checkpoint(self) -> TensorStore:
        """Return its tensors.

        Raises:
            CheckpointError: they can't be read.
        """

    def tokenizer(self) -> TokenizerFiles:
        """Return what it says of its tokenizer.

        Raises:
            TokenizerError: there is none, or it is broken.
        """

    def generation(self) -> Mapping[str, Any]:
        """Return what its authors recommend, as in a `generation_config.json`, or nothing."""

    def licence(self) -> str:
        """Return the licence under which it may be used; empty where its files do not say."""


class HuggingFaceDirectory:
    """`config.json`, perhaps `generation_config.json`, and one or several `*.safetensors`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def architecture(self) -> Architecture:
        """See `ModelSource`."""
        return read_config(_read_json(self._directory / "config.json"), self.generation())

    def checkpoint(self) -> TensorStore:
        """See `ModelSource`."""
        checkpoint = Checkpoint(self._directory)
        quantized = _read_json(self._directory / "config.json").get("quantization_config")
        return checkpoint if quantized is None else open_quantized(checkpoint, quantized)

    def tokenizer(self) -> TokenizerFiles:
        """See `ModelSource`."""
        return TokenizerFiles.read(self._directory)

    def generation(self) -> Mapping[str, Any]:
        """See `ModelSource`."""
        path = self._directory / "generation_config.json"
        return _read_json(path) if path.exists() else {}

    def licence(self) -> str:
        """See `ModelSource`."""
        return ""


class GgufFile:
    """A GGUF file, or one in parts; it is opened when it is first asked for something."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def architecture(self) -> Architecture:
        """See `ModelSource`."""
        return read_gguf(self._checkpoint)

    def checkpoint(self) -> TensorStore:
        """See `ModelSource`."""
        return self._checkpoint

    def tokenizer(self) -> TokenizerFiles:
        """See `ModelSource`."""
        return tokenizer_files(self._checkpoint.metadata)

    def generation(self) -> Mapping[str, Any]:
        """See `ModelSource`."""
        metadata = self._checkpoint.metadata
        return {
            field: metadata[f"general.sampling.{key}"]
            for key, field in _SAMPLING.items()
            if isinstance(metadata.get(f"general.sampling.{key}"), int | float)
        }

    def licence(self) -> str:
        """See `ModelSource`."""
        named = self._checkpoint.metadata.get("general.license")
        return named if isinstance(named, str) else ""

    @cached_property
    def _checkpoint(self) -> GgufCheckpoint:
        return GgufCheckpoint(self._path)


# What the format's recommendations are called in generation_config.json.
_SAMPLING = {
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "penalty_repeat": "repetition_penalty",
}


def open_source(path: Path) -> ModelSource:
    """Return the model at `path`; nothing is read yet."""
    return GgufFile(path) if path.suffix == ".gguf" else HuggingFaceDirectory(path)


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
