"""Integers with a scale for each group, brought into blocks."""

from __future__ import annotations

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat

BLOCK = 32  # values of a block


def blocks_of_4_bits(integers: Tensor, scales: Tensor, zeros: Tensor | None) -> Tensor:
    """Return rows of `scale * (integer - zero)` as Q4_1; without zeros as Q4_0, whose zero is 8.

    Args:
        integers: [rows, columns] uint8, below 16.
        scales: [rows, groups], of whole blocks of columns each.
        zeros: [rows, groups], or None.

    Returns:
        [rows, bytes of a row], uint8.
    """
    values = integers.view(len(integers), -1, BLOCK)  # [rows, blocks, 32]
    packed = values[..., : BLOCK // 2] | (values[..., BLOCK // 2 :] << 4)
    spread = values.shape[1] // scales.shape[1]
    fields = [scales.float()]
    if zeros is not None:
        fields.append(-scales.float() * zeros.float())
    halves = [_bytes(each.repeat_interleave(spread, dim=1)) for each in fields]
    return torch.cat((*halves, packed), dim=2).flatten(1)


def blocks_of_8_bits(integers: Tensor, scales: Tensor) -> Tensor:
    """Return rows of `scale * integer` as Q8_0 blocks.

    Args:
        integers: [rows, columns] int8.
        scales: [rows, groups], of whole blocks of columns each.

    Returns:
        [rows, bytes of a row], uint8.
    """
    values = integers.contiguous().view(torch.uint8).view(len(integers), -1, BLOCK)
    spread = values.shape[1] // scales.shape[1]
    scale = _bytes(scales.float().repeat_interleave(spread, dim=1))
    return torch.cat((scale, values), dim=2).flatten(1)


def _bytes(scales: Tensor) -> Tensor:
    """[rows, blocks] as fp16: [rows, blocks, 2] uint8."""
    return scales.half().unsqueeze(-1).view(torch.uint8)


def unpack_columns(words: Tensor, bits: int) -> Tensor:
    """Small integers of int32 words [..., n], the lowest bits first: [..., n * 32 / bits] uint8."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    return ((words.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)).to(torch.uint8).flatten(-2)


def numbers(integers: Tensor, scales: Tensor, zeros: Tensor | None, dtype: torch.dtype) -> Tensor:
    """`scale * (integer - zero)` as numbers.

    Args:
        integers: [rows, columns].
        scales: [rows, groups].
        zeros: [rows, groups], or None for zero.
        dtype: of the result.

    Returns:
        [rows, columns].
    """
    spread = integers.shape[1] // scales.shape[1]
    wide = integers.float()
    if zeros is not None:
        wide = wide - zeros.float().repeat_interleave(spread, dim=1)
    return (wide * scales.float().repeat_interleave(spread, dim=1)).to(dtype)


def fits(columns: int, groups: int) -> bool:
    """Return whether groups of a row are whole blocks."""
    return groups > 0 and columns % (groups * BLOCK) == 0


FOUR_BITS = {True: BlockFormat.Q4_0, False: BlockFormat.Q4_1}
"""By whether the zero is 8 everywhere."""
