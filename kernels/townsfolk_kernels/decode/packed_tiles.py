"""Which tiles a product with packed weights runs with: measured, else a sound guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from townsfolk_kernels.decode.packed_projection import PackedRows, holds_row
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import Tiles, power_of_two
from townsfolk_kernels.gpu.tuning import tuned

_HELD = 16384  # integers that one program holds in registers


def packed_key(op: str, parts: Sequence[PackedRows], batch: int) -> str:
    """The name of a measured product; batches between powers of two share their tiles."""
    layouts = "+".join(part.layout.value for part in parts)
    rows = sum(part.rows for part in parts)
    return f"{op} {layouts} {rows}x{parts[0].columns} {power_of_two(batch)}"


def packed_tiles(op: str, parts: Sequence[PackedRows], x: Tensor) -> Tiles:
    """Tiles for a product of `x` [batch, columns] with the parts of a weight.

    Args:
        op: "qkv", "project", "gate_up" or "head"; "plain" for one that shares no tile's reduction.
        parts: of the weight.
        x: activations.
    """
    batch, device = x.shape[0], x.device
    is_held = all(holds_row(part, x) for part in parts)
    known = tuned(card_of(device).name)
    sizes = [1] if is_held else [size for size in (1, 2, 4, 8, 16, 32, 64) if size >= batch]
    names = [packed_key(op, parts, size) for size in sizes]
    tiles = next((known[name] for name in names if name in known), None)
    if tiles is None:
        tiles = _guess_held(op, parts[0]) if is_held else _guess(op, parts, batch, device)
    while tiles.depth > parts[0].unit and _shared(op, tiles, x) > card_of(device).shared_memory:
        tiles = replace(tiles, depth=tiles.depth // 2)
    while tiles.stages > 1 and _shared(op, tiles, x) > card_of(device).shared_memory:
        tiles = replace(tiles, stages=tiles.stages - 1)
    return tiles


def _shared(op: str, tiles: Tiles, x: Tensor) -> int:
    """About how many bytes of shared memory a program takes."""
    rows = tiles.rows * (2 if op == "gate_up" else 1)
    batch = max(power_of_two(x.shape[0]), 8)
    # Packed bytes are one a number at most; where fp32 is multiplied, numbers lie there, too.
    of_weight = rows * (1 if x.dtype.itemsize == 2 else 5)
    return tiles.stages * tiles.depth * (of_weight + batch * x.dtype.itemsize)


def _guess_held(op: str, part: PackedRows) -> Tiles:
    width = power_of_two(part.units) * part.unit
    rows = max(_HELD // width // (2 if op == "gate_up" else 1), 1)
    return Tiles(rows, depth=0, warps=4 if width <= 8192 else 8)


def _guess(op: str, parts: Sequence[PackedRows], batch: int, device: torch.device) -> Tiles:
    halves = 2 if op == "gate_up" else 1
    rows = 64 // halves
    tiles = sum(-(-part.rows // (halves * rows)) for part in parts)
    splits = 1
    while op != "plain" and tiles * splits < card_of(device).wave:
        if parts[0].columns // (2 * splits) < 512:
            break
        splits *= 2
    return Tiles(rows, depth=max(128, parts[0].unit), warps=4, stages=3, splits=splits)
