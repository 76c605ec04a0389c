"""Which tiles a product runs with: measured for a GPU model and shape, else a sound guess."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from triton.runtime import driver

from townsfolk_kernels.triton.launch import Tiles, batch_tile, power_of_two

TUNED = Path(__file__).parent / "tuned"
_FEW = 4  # rows up to which a product may be summed up in registers
_ONE_ROW_TILE = 8192  # elements of the weight that one program holds in registers


def key(op: str, out_features: int, in_features: int, batch: int) -> str:
    """The name of a measured product; batches between powers of two share their tiles."""
    padded = power_of_two(batch)
    if padded > _FEW:
        padded = max(padded, 16)
    return f"{op} {out_features}x{in_features} {padded}"


def choose(
    op: str, out_features: int, in_features: int, batch: int, device: torch.device, within: int = 0
) -> Tiles:
    """Tiles for a product of `batch` rows.

    Args:
        op: "qkv", "project", "gate_up" or "head".
        out_features: rows of the weight.
        in_features: columns of the weight.
        batch: rows of activations.
        device: where it runs.
        within: the tile's rows must divide this; 0 for no such need.
    """
    name, memory = _device_facts(device)
    known = tuned(name)
    tiles = known.get(key(op, out_features, in_features, batch))
    if tiles is None and batch > 1:
        tiles = known.get(key(op, out_features, in_features, max(batch, 16)))
    if tiles is None or (within and within % tiles.rows):
        tiles = guess(op, out_features, in_features, batch, within)
    while shared_memory(op, batch, tiles) > memory and tiles.depth > 16:
        tiles = replace(tiles, depth=tiles.depth // 2)
    return tiles


def shared_memory(op: str, batch: int, tiles: Tiles) -> int:
    """About how many bytes of shared memory a program takes, with 16-bit weights."""
    weights = 2 if op == "gate_up" else 1
    return tiles.stages * (weights * tiles.rows + batch_tile(batch, tiles)) * tiles.depth * 2


@cache
def _device_facts(device: torch.device) -> tuple[str, int]:
    """Name and shared memory of one program, in bytes."""
    if device.type != "cuda":
        return "", 64 * 1024
    facts = driver.active.utils.get_device_properties(device.index or 0)
    return torch.cuda.get_device_name(device), int(facts["max_shared_mem"])


def guess(op: str, out_features: int, in_features: int, batch: int, within: int = 0) -> Tiles:
    """Tiles for a shape that nobody has measured."""
    if batch == 1:
        width = power_of_two(in_features)
        rows = max(_ONE_ROW_TILE // width, 2 if within else 1)
        rows = min(rows, within or rows)
        return Tiles(rows=rows, depth=0, warps=4 if width <= 8192 else 8)
    rows = 16 if batch <= 16 else 32 if batch <= 32 else 64
    rows = min(rows, within or rows)
    tiles = -(-out_features // rows)
    splits = 1
    while op == "project" and tiles * splits < 128 and in_features // (2 * splits) >= 256:
        splits *= 2
    depth = min(128, power_of_two(in_features // splits))
    return Tiles(rows=rows, depth=max(depth, 16), warps=4, stages=4, splits=splits)


@cache
def tuned(device_name: str) -> dict[str, Tiles]:
    """What was measured on a GPU model; empty for one that nobody has measured."""
    path = TUNED / f"{device_name.replace(' ', '_')}.json"
    if not device_name or not path.exists():
        return {}
    return {name: Tiles(**fields) for name, fields in json.loads(path.read_text("utf-8")).items()}
