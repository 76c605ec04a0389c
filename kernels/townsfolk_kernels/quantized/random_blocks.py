"""Blocks of random values, for measurements and tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize

_SAMPLE_BLOCKS = 4096
_POWERS = {BlockFormat.MXFP4}


@dataclass(frozen=True, slots=True)
class _Scales:
    """Where a block's fp16 scales are.

    Attributes:
        scale: place of the scale's first byte.
        least: place of what is added to values, or taken off them, if there is any.
        ratio: that, in scales, so that values are around zero.
    """

    scale: int
    least: int | None = None
    ratio: float = 0.0


_SCALES = {
    BlockFormat.Q4_0: _Scales(0),
    BlockFormat.Q4_1: _Scales(0, 2, -7.5),
    BlockFormat.Q5_0: _Scales(0),
    BlockFormat.Q5_1: _Scales(0, 2, -15.5),
    BlockFormat.Q8_0: _Scales(0),
    BlockFormat.Q2_K: _Scales(80, 82, 1.5),
    BlockFormat.Q3_K: _Scales(108),
    BlockFormat.Q4_K: _Scales(0, 2, 7.5),
    BlockFormat.Q5_K: _Scales(0, 2, 15.5),
    BlockFormat.Q6_K: _Scales(208),
    BlockFormat.IQ4_NL: _Scales(0),
    BlockFormat.IQ4_XS: _Scales(0),
}


def random_blocks(
    block_format: BlockFormat,
    rows: int,
    columns: int,
    deviation: float,
    generator: torch.Generator,
) -> Tensor:
    """Draw rows of values around zero.

    Args:
        block_format: of the rows.
        rows: how many.
        columns: values of a row, a whole number of blocks.
        deviation: of the values, roughly.
        generator: draws them, on its device.

    Returns:
        [rows, bytes of a row], uint8.
    """
    layout = block_format.layout
    raw = _draw(block_format, rows * columns // layout.values, generator)
    _set_scales(raw, block_format, deviation / _unit_deviation(block_format))
    return raw.view(rows, -1)


@cache
def _unit_deviation(block_format: BlockFormat) -> float:
    """Return the standard deviation of random blocks whose scale is one."""
    raw = _draw(block_format, _SAMPLE_BLOCKS, torch.Generator().manual_seed(0))
    _set_scales(raw, block_format, 1.0)
    return float(dequantize(raw, block_format, torch.float32).std())


def _draw(block_format: BlockFormat, blocks: int, generator: torch.Generator) -> Tensor:
    shape = (blocks, block_format.layout.nbytes)
    return torch.randint(
        256, shape, dtype=torch.uint8, device=generator.device, generator=generator
    )


def _set_scales(raw: Tensor, block_format: BlockFormat, scale: float) -> None:
    """Set the scales of all blocks: they would be anything else, infinite ones too."""
    if block_format in _POWERS:
        raw[:, 0] = 127 + round(torch.tensor(scale).log2().item())
        return
    places = _SCALES[block_format]
    _put(raw, places.scale, scale)
    if places.least is not None:
        _put(raw, places.least, scale * places.ratio)


def _put(raw: Tensor, place: int, value: float) -> None:
    half = torch.tensor([value], dtype=torch.float16).view(torch.uint8)
    raw[:, place : place + 2] = half.to(raw.device)
