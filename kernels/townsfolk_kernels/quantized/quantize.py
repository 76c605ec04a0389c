"""Numbers into blocks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from townsfolk_kernels.quantized.blocks import BlockFormat

# Values that are brought into blocks at once: temporaries take some 40 bytes of each.
_CHUNK_VALUES = 1 << 20
# Scales to try, around the one that spans all values of a part.
_TRIES = 21


def quantize(values: Tensor, block_format: BlockFormat, importance: Tensor | None = None) -> Tensor:
    """Bring rows into blocks.

    Args:
        values: [rows, columns], a whole number of blocks each.
        block_format: Q8_0, Q4_1 or Q4_K.
        importance: [columns], what an error of each column costs, such as the mean square of what
            it is multiplied with; None where all cost the same.

    Returns:
        [rows, bytes of a row], uint8.

    Raises:
        ValueError: the format is another one.
    """
    if block_format not in _MAKERS:
        known = ", ".join(each.name for each in _MAKERS)
        raise ValueError(f"numbers can be brought into {known}, not into {block_format.name}")
    make = _MAKERS[block_format]
    weight = torch.ones(1) if importance is None else importance.float().clamp_min(1e-12)
    weight = (weight / weight.mean()).to(values.device).expand(values.shape[1])
    step = max(_CHUNK_VALUES // values.shape[1], 1)
    size = block_format.layout.values
    parts = []
    for part in values.split(step):
        blocks = part.float().reshape(-1, size)
        parts.append(make(blocks, weight.repeat(len(part)).view(-1, size)).view(len(part), -1))
    return torch.cat(parts)


def _half(field: Tensor) -> Tensor:
    """Return the bytes of [blocks, n] fp32 as fp16: [blocks, 2 * n] uint8."""
    return field.half().contiguous().view(torch.uint8)


def _q8_0(blocks: Tensor, _: Tensor) -> Tensor:
    scale = (blocks.abs().amax(1, keepdim=True) / 127).half()
    inverse = torch.where(scale > 0, 1 / scale.float(), 0.0)
    integers = (blocks * inverse).round().clamp(-127, 127).to(torch.int8)
    return torch.cat((_half(scale.float()), integers.view(torch.uint8)), dim=1)


def _q4_1(blocks: Tensor, importance: Tensor) -> Tensor:
    scale, least = (each.half().float() for each in _fit(blocks, importance, below=False))
    inverse = torch.where(scale > 0, 1 / scale, 0.0)
    integers = ((blocks - least) * inverse).round().clamp(0, 15).to(torch.uint8)
    packed = integers[:, :16] | (integers[:, 16:] << 4)
    return torch.cat((_half(scale), _half(least), packed), dim=1)


def _q4_k(blocks: Tensor, importance: Tensor) -> Tensor:
    values = blocks.view(-1, 8, 32)
    scales, leasts = _fit(values.flatten(0, 1), importance.reshape(-1, 32), below=True)
    scales, leasts = scales.view(-1, 8), -leasts.view(-1, 8)  # what is taken off
    scale, factors = _six_bits(scales)
    least, offsets = _six_bits(leasts)
    exact = (scale * factors).unsqueeze(-1)
    inverse = torch.where(exact > 0, 1 / exact, 0.0)
    shifted = values + (least * offsets).unsqueeze(-1)
    integers = (shifted * inverse).round().clamp(0, 15).to(torch.uint8)
    packed = integers[:, 0::2] | (integers[:, 1::2] << 4)  # [blocks, 4, 32]
    low, high = factors.to(torch.uint8).split(4, dim=1)
    low_offsets, high_offsets = offsets.to(torch.uint8).split(4, dim=1)
    twelve = (
        low | ((high >> 4) << 6),
        low_offsets | ((high_offsets >> 4) << 6),
        (high & 15) | ((high_offsets & 15) << 4),
    )
    return torch.cat((_half(scale), _half(least), *twelve, packed.flatten(1)), dim=1)


def _six_bits(scales: Tensor) -> tuple[Tensor, Tensor]:
    """Return scales [blocks, 8] of blocks as one in fp16 [blocks, 1] times integers up to 63."""
    whole = (scales.amax(1, keepdim=True) / 63).half().float()
    inverse = torch.where(whole > 0, 1 / whole, 0.0)
    return whole, (scales * inverse).round().clamp(0, 63)


def _fit(parts: Tensor, importance: Tensor, *, below: bool) -> tuple[Tensor, Tensor]:
    """Return the best scale and least value of integers up to 15: [parts, 1] fp32 each.

    For several assignments of integers the best line is found by least squares. Large values count
    for more, as their errors do in products.

    Args:
        parts: [parts, n].
        importance: [parts, n].
        below: the least value may not be above zero.
    """
    size = parts.square().mean(1, keepdim=True).sqrt()
    weight = importance * (size + parts.abs())
    low = parts.amin(1, keepdim=True)
    if below:
        low = low.clamp(max=0.0)
    span = (parts.amax(1, keepdim=True) - low).clamp_min(1e-30)
    total, sum_x = weight.sum(1, keepdim=True), (weight * parts).sum(1, keepdim=True)
    best = torch.full_like(low, torch.inf)
    scale, least = span / 15, low.clone()
    for attempt in range(_TRIES):
        steps = 14.0 + 2.0 * attempt / (_TRIES - 1)
        integers = ((parts - low) * (steps / span)).round().clamp(0, 15)
        weighted = weight * integers
        sum_q, sum_qq = weighted.sum(1, keepdim=True), (weighted * integers).sum(1, keepdim=True)
        sum_qx = (weighted * parts).sum(1, keepdim=True)
        free = (total * sum_qq - sum_q.square()).clamp_min(1e-30)
        slope = (total * sum_qx - sum_q * sum_x) / free
        offset = (sum_qq * sum_x - sum_q * sum_qx) / free
        if below:
            is_above = offset > 0
            slope = torch.where(is_above, sum_qx / sum_qq.clamp_min(1e-30), slope)
            offset = offset.clamp(max=0.0)
        error = (weight * (slope * integers + offset - parts).square()).sum(1, keepdim=True)
        better = (error < best) & (slope > 0)
        best = torch.where(better, error, best)
        scale, least = torch.where(better, slope, scale), torch.where(better, offset, least)
    return scale, least


_MAKERS: dict[BlockFormat, Callable[[Tensor, Tensor], Tensor]] = {
    BlockFormat.Q8_0: _q8_0,
    BlockFormat.Q4_1: _q4_1,
    BlockFormat.Q4_K: _q4_k,
}
