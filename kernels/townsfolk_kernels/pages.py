"""Pages of keys and values: numbers as they are, or 8 bits with a scale for each row.

A row is what one head keeps of one token. In 8 bits it is whole numbers from -127 to 127, of which
the largest magnitude is 127, and an fp32 scale that they are times. A scale a row needs nothing of
other tokens, so that a row is written once, as a decode step does; and whole numbers are what every
GPU converts, where fp8 needs compute capability 8.9, and more exact beside a row's largest value
(half a step in 127, against 3 bits of mantissa).

The pages of a block and head are one piece of memory: the rows, and behind them their scales.
"""

from __future__ import annotations

import torch
from torch import Tensor

QUANTIZED = torch.int8
_LARGEST = 127
_SCALE = torch.float32


def piece_bytes(block_size: int, head_dim: int, dtype: torch.dtype) -> int:
    """Return the bytes of the rows of one block and head, and of their scales if there are any."""
    scales = block_size * _SCALE.itemsize if dtype == QUANTIZED else 0
    return block_size * head_dim * dtype.itemsize + scales


def view_pages(
    memory: Tensor, num_blocks: int, kv_heads: int, block_size: int, head_dim: int
) -> Tensor:
    """View memory as pages.

    Args:
        memory: [num_blocks * kv_heads * elements of a piece], contiguous; int8 for 8 bits.
        num_blocks: blocks.
        kv_heads: key heads.
        block_size: tokens in a block.
        head_dim: values of a row, for 8 bits a multiple of 4.

    Returns:
        [num_blocks, kv_heads, block_size, head_dim], dtype of `memory`. Of 8 bits the scales lie
        between the pieces that are seen, where `scales_of` finds them.

    Raises:
        ValueError: in 8 bits, `head_dim` is no multiple of 4.
    """
    if memory.dtype == QUANTIZED and head_dim % _SCALE.itemsize:
        raise ValueError(f"8-bit rows must have a multiple of 4 values, not {head_dim}")
    piece = piece_bytes(block_size, head_dim, memory.dtype) // memory.dtype.itemsize
    shape = (num_blocks, kv_heads, block_size, head_dim)
    return memory.as_strided(shape, (kv_heads * piece, piece, head_dim, 1))


def scales_of(pages: Tensor) -> Tensor:
    """View the scales of 8-bit pages, [num_blocks, kv_heads, block_size] fp32."""
    num_blocks, kv_heads, block_size, head_dim = pages.shape
    every = torch.empty(0, dtype=_SCALE, device=pages.device).set_(pages.untyped_storage())
    at = pages.storage_offset() + block_size * head_dim
    of_block, of_head = (stride // _SCALE.itemsize for stride in pages.stride()[:2])
    return every.as_strided(
        (num_blocks, kv_heads, block_size), (of_block, of_head, 1), at // _SCALE.itemsize
    )


def quantize_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Round rows to 8 bits.

    Args:
        rows: [..., head_dim].

    Returns:
        [..., head_dim] int8, and their scales, [...] fp32. A row of zeros has the scale 0.
    """
    wide = rows.float()
    scales = wide.abs().amax(dim=-1) / _LARGEST
    steps = wide / torch.where(scales > 0, scales, 1.0).unsqueeze(-1)
    return torch.floor(steps + 0.5).clamp(-_LARGEST, _LARGEST).to(QUANTIZED), scales


def chosen_values(pages: Tensor, chosen: slice | Tensor, dtype: torch.dtype) -> Tensor:
    """Return the values of some blocks, [chosen, kv_heads, block_size, head_dim].

    Args:
        pages: of numbers, which come as they are, or of 8 bits.
        chosen: a slice of the blocks, or [chosen] int64.
        dtype: of values that were 8 bits.
    """
    rows = pages[chosen] if isinstance(chosen, slice) else pages.index_select(0, chosen)
    if pages.dtype != QUANTIZED:
        return rows
    scales = scales_of(pages)
    scales = scales[chosen] if isinstance(chosen, slice) else scales.index_select(0, chosen)
    return (rows * scales.unsqueeze(-1)).to(dtype)


def store_rows(pages: Tensor, rows: Tensor, slots: Tensor) -> None:
    """Write rows into pages.

    Args:
        pages: [num_blocks, kv_heads, block_size, head_dim].
        rows: [tokens, kv_heads, head_dim].
        slots: [tokens], int64: block * block_size + offset in the block, all different.
    """
    if pages.dtype != QUANTIZED:
        _put(pages, rows, slots)
        return
    codes, scales = quantize_rows(rows)
    _put(pages, codes, slots)
    _put(scales_of(pages), scales, slots)


def _put(pages: Tensor, rows: Tensor, slots: Tensor) -> None:
    block_size = pages.shape[2]
    if len(slots) == 1 and pages.device.type == "cpu":  # half the time of the general way
        block, offset = divmod(int(slots), block_size)
        pages[block, :, offset] = rows[0]
        return
    # [num_blocks, block_size, kv_heads, ...], so that the two indices stand side by side
    pages.transpose(1, 2).index_put_((slots // block_size, slots % block_size), rows)
