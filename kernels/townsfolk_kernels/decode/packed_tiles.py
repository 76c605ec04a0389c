"""Which tiles a product with packed weights runs with: measured, else a sound guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from townsfolk_kernels.decode.packed_projection import PackedRows, is_in_fixed_point
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import (
    Tiles,
    power_of_two,
)
from townsfolk_kernels.gpu.tuning import tuned

_ROW_TILE = 8  # rows of the weight that a program multiplies with one row
_WANTED = 2  # programs of a loop for each that fits at once: more took longer than they gave


def packed_key(op: str, parts: Sequence[PackedRows], batch: int) -> str:
    """Return the name of a measured product; batches between powers of two share their tiles."""
    layouts = "+".join(part.layout.value for part in parts)
    rows = sum(part.rows for part in parts)
    return f"{op} {layouts} {rows}x{parts[0].columns} {power_of_two(batch)}"


def packed_tiles(op: str, parts: Sequence[PackedRows], batch: int, dtype: torch.dtype) -> Tiles:
    """Return tiles for a product of `batch` rows with the parts of a weight.

    Args:
        op: "qkv", "project", "gate_up" or "head"; "plain" for one of a step with prompts.
        parts: of the weight.
        batch: rows of activations.
        dtype: of activations.
    """
    device = parts[0].data.device
    is_fixed = all(is_in_fixed_point(part, batch, dtype) for part in parts)
    known = tuned(card_of(device).name)
    sizes = [1] if is_fixed else [size for size in (2, 4, 8, 16, 32, 64) if size >= batch]
    names = [packed_key(op, parts, size) for size in sizes]
    tiles = next((known[name] for name in names if name in known), None)
    if tiles is None:
        tiles = _guess_row(parts) if is_fixed else _guess(op, parts, batch)
    limit = card_of(device).shared_memory
    while tiles.depth > parts[0].unit and _shared(op, tiles, batch, dtype) > limit:
        tiles = replace(tiles, depth=tiles.depth // 2)
    while tiles.stages > 1 and _shared(op, tiles, batch, dtype) > limit:
        tiles = replace(tiles, stages=tiles.stages - 1)
    return tiles


def packed_split_workspace(
    op: str, parts: Sequence[PackedRows], batch: int, tiles: Tiles
) -> tuple[int, int]:
    """Return the elements and counters that a product needs of a `SplitWorkspace`."""
    if tiles.splits == 1:
        return 0, 0
    count = _tiles(op, parts, tiles.rows)
    rows = tiles.rows * (2 if op == "gate_up" else 1)
    return count * rows * tiles.splits * max(power_of_two(batch), 8), count


def packed_starts_early(op: str, parts: Sequence[PackedRows], batch: int, tiles: Tiles) -> bool:
    """Return whether a product should start while the one before runs; see `starts_early`.

    Others wait where programs of the one before have yet to run (8 rows of Llama-3.2-1B, H200:
    1.05 ms a step instead of 0.82).
    """
    card = card_of(parts[0].data.device)
    programs = _tiles(op, parts, tiles.rows) * tiles.splits
    return card.has_dependent_launch and (batch == 1 or programs <= card.wave)


def _tiles(op: str, parts: Sequence[PackedRows], rows: int) -> int:
    halves = 2 if op == "gate_up" else 1
    return sum(-(-part.rows // (halves * rows)) for part in parts)


def _shared(op: str, tiles: Tiles, batch: int, dtype: torch.dtype) -> int:
    """Return about how many bytes of shared memory a program takes."""
    rows = tiles.rows * (2 if op == "gate_up" else 1)
    # Packed bytes are one a number at most; where fp32 is multiplied, numbers lie there, too.
    of_weight = rows * (1 if dtype.itemsize == 2 else 5)
    return tiles.stages * tiles.depth * (of_weight + max(power_of_two(batch), 8) * dtype.itemsize)


def _guess_row(parts: Sequence[PackedRows]) -> Tiles:
    unit = max(part.unit for part in parts)
    run = unit // 4  # columns of four words, which one thread holds of each row
    width = power_of_two(-(-parts[0].columns // unit)) * unit
    warps = min(max(width // (32 * run), 1), 16)
    # Two rows of a block together would take too many registers where a run is 64 columns.
    return Tiles(_ROW_TILE, depth=0, warps=warps, stages=4 if run < 64 else 8)


def _guess(op: str, parts: Sequence[PackedRows], batch: int) -> Tiles:
    # A program's tile of gate and up has 128 rows, for more of `x` in twice as many warps.
    rows, warps = 64, 8 if op == "gate_up" and batch > 32 else 4
    tiles, splits = _tiles(op, parts, rows), 1
    wanted = _WANTED * card_of(parts[0].data.device).wave
    while 2 * tiles * splits <= wanted and splits < 8:
        if parts[0].columns // (2 * splits) < 512:
            break
        splits *= 2
    depth = max(128, parts[0].unit)
    return Tiles(rows, depth, warps, stages=3 if depth == 128 else 2, splits=splits)
