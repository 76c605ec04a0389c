"""Shapes of known models, for benchmarks with random weights: their `config.json`, as data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from townsfolk.models.families import read_config
from townsfolk.models.spec import DecoderSpec


def _load() -> dict[str, dict[str, Any]]:
    text = resources.files("townsfolk.models").joinpath("shapes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


NAMED_SHAPES: Mapping[str, Mapping[str, Any]] = _load()


def named_spec(name: str, **changes: Any) -> DecoderSpec:
    """Return the decoder of a shape; `changes` are fields of its `config.json`.

    Raises:
        KeyError: there is no such shape.
        UnsupportedModelError: the changes make no model that can be run.
    """
    return read_config({**NAMED_SHAPES[name], **changes}).spec
