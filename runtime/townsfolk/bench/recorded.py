"""A peer's figures, recorded elsewhere on a GPU of the same model: never measured in this run."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def source(gpu: str | None) -> str | None:
    """Who the peer is and how its figures were taken; None where there are none of this GPU."""
    peer = _peer(gpu)
    return f"{peer['name']}: {peer['source']}" if peer else None


def decode(gpu: str | None, shape: str, batch: int) -> float | None:
    """Return tokens a second, if recorded."""
    rate: float | None = _figures(gpu, "decode", shape).get(str(batch))
    return rate


def prefill(gpu: str | None, shape: str) -> tuple[float, float] | None:
    """Prompt tokens a second, from and to, if recorded."""
    span = _figures(gpu, "prefill", shape)
    return (span[0], span[1]) if span else None


def tavern(gpu: str | None, shape: str) -> Mapping[int, Mapping[str, float]]:
    """Return figures by number of characters, by the names that the tavern's columns have."""
    return {int(npcs): row for npcs, row in _figures(gpu, "tavern", shape).items()}


def _figures(gpu: str | None, kind: str, shape: str) -> Any:
    return _peer(gpu).get(kind, {}).get(shape, {})


def _peer(gpu: str | None) -> Mapping[str, Any]:
    return _recorded().get(gpu or "", {})


@functools.cache
def _recorded() -> Mapping[str, Mapping[str, Any]]:
    data = resources.files("townsfolk.bench").joinpath("recorded.json").read_text("utf-8")
    recorded: Mapping[str, Mapping[str, Any]] = json.loads(data)
    return recorded
