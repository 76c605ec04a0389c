"""Which tiles a product runs with: measured for a GPU model and shape, else a sound guess."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from townsfolk_kernels.gpu.card import Card, card_of
from townsfolk_kernels.gpu.launch import Tiles, batch_tile, power_of_two

SHIPPED = Path(__file__).parent / "tuned"
logger = logging.getLogger(__name__)
_ONE_ROW_TILE = 8192  # elements of the weight that one program holds in registers


def key(op: str, out_features: int, in_features: int, batch: int) -> str:
    """Return the name of a measured product; batches between powers of two share their tiles."""
    return f"{op} {out_features}x{in_features} {power_of_two(batch)}"


def choose(op: str, out_features: int, in_features: int, batch: int, device: torch.device) -> Tiles:
    """Return tiles for a product of `batch` rows.

    Args:
        op: "qkv", "project", "gate_up" or "head".
        out_features: rows of the weight.
        in_features: columns of the weight.
        batch: rows of activations.
        device: where it runs.
    """
    card = card_of(device)
    known = tuned(card.name)
    # Tiles for more rows serve fewer; one row alone has kernels of its own.
    sizes = [1] if batch == 1 else [n for n in (2, 4, 8, 16, 32, 64) if n >= batch]
    names = [key(op, out_features, in_features, size) for size in sizes]
    tiles = next((known[name] for name in names if name in known), None)
    if tiles is None:
        tiles = guess(op, out_features, in_features, batch, card)
    while shared_memory(op, in_features, batch, tiles) > card.shared_memory:
        if tiles.depth > 16:
            tiles = replace(tiles, depth=tiles.depth // 2)
        elif tiles.matrix and tiles.share(in_features) > 16 * tiles.warps:
            tiles = replace(tiles, splits=2 * tiles.splits)
        else:
            break
    return tiles


def shared_memory(op: str, in_features: int, batch: int, tiles: Tiles) -> int:
    """Return about how many bytes of shared memory a program takes, with 16-bit weights."""
    if not tiles.uses_tensor_cores:
        return 0
    rows = tiles.rows * (2 if op == "gate_up" else 1) + batch_tile(batch, tiles)
    if tiles.matrix:
        return rows * power_of_two(tiles.share(in_features)) * 2
    return tiles.stages * rows * tiles.depth * 2


def split_workspace(op: str, out_features: int, batch: int, tiles: Tiles) -> tuple[int, int]:
    """Return the elements and counters that a product needs of a `SplitWorkspace`."""
    if tiles.splits == 1:
        return 0, 0
    halves = 2 if op == "gate_up" else 1
    count = -(-out_features // (halves * tiles.rows))
    return count * halves * tiles.rows * tiles.splits * batch_tile(batch, tiles), count


def starts_early(
    op: str, out_features: int, batch: int, tiles: Tiles, device: torch.device
) -> bool:
    """Return whether a product should start while the kernel before still runs.

    That gains where all programs fit on the device at once; else those of a second wave wait again
    (28 us of 253 for the vocabulary of 8 rows; Llama-3.1-8B, H200). One row's programs are small
    and many, and load their weights before they wait.
    """
    programs = tiles.programs(out_features // (2 if op == "gate_up" else 1))
    card = card_of(device)
    return card.has_dependent_launch and (batch == 1 or programs <= card.wave)


def guess(op: str, out_features: int, in_features: int, batch: int, card: Card) -> Tiles:
    """Return tiles for a shape that nobody has measured."""
    if batch == 1:
        width = power_of_two(in_features)
        # Fewer and larger programs leave room for those of attention, which share their launch.
        rows = max((2 if op == "qkv" else 1) * _ONE_ROW_TILE // width, 1)
        return Tiles(rows=rows, depth=0, warps=4 if width <= 8192 else 8)
    halves = 2 if op == "gate_up" else 1
    rows = 64 if batch > 32 or out_features >= card.wave * halves * 64 else 32
    tiles = -(-out_features // (halves * rows))
    splits = 1
    while tiles * splits < card.wave and in_features // (2 * splits) >= 256:
        splits *= 2
    depth = max(min(128, power_of_two(in_features // splits)), 16)
    return Tiles(rows, depth, warps=8 if halves * rows >= 128 else 4, stages=3, splits=splits)


def own_results() -> Path:
    """Return the folder in which this user's measurements lie."""
    place = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(place or Path.home() / ".cache") / "townsfolk" / "tuned"


def file_of(device_name: str) -> str:
    """Return the name of the file with the results of a GPU model."""
    return f"{device_name.replace(' ', '_')}.json"


def _twin(device_name: str) -> str:
    """Return the name of a measured GPU that has the same chip."""
    is_hopper = "H100" in device_name or "GH200" in device_name
    return "NVIDIA H200" if is_hopper else device_name


@cache
def tuned(device_name: str) -> dict[str, Tiles]:
    """Return what was measured on a GPU model: shipped results, and this user's own over them."""
    found: dict[str, Tiles] = {}
    own = file_of(device_name)
    places = (SHIPPED / file_of(_twin(device_name)), SHIPPED / own, own_results() / own)
    for path in places if device_name else ():
        try:
            fields = json.loads(path.read_text("utf-8"))
            found |= {name: Tiles(**values) for name, values in fields.items()}
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("%s is left out, measure again by `townsfolk tune`: %s", path, error)
    return found
