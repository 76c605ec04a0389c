"""Pages of keys and values for tests, of numbers or of 8 bits; poison where nothing is written."""

from __future__ import annotations

import torch
from torch import Tensor
from townsfolk_kernels.pages import (
    QUANTIZED,
    chosen_values,
    piece_bytes,
    quantize_rows,
    scales_of,
    view_pages,
)

NAN = float("nan")


def in_8_bits(values: Tensor) -> Tensor:
    """Pages of 8 bits that hold these values, [num_blocks, kv_heads, block_size, head_dim]."""
    blocks, heads, size, dim = values.shape
    memory = torch.full(
        (blocks * heads * piece_bytes(size, dim, QUANTIZED),),
        85,
        dtype=QUANTIZED,
        device=values.device,
    )
    pages = view_pages(memory, blocks, heads, size, dim)
    codes, scales = quantize_rows(values)
    pages.copy_(codes)
    scales_of(pages).copy_(scales)
    return pages


def values_of(pages: Tensor) -> Tensor:
    """What pages hold: numbers as they are, 8 bits as fp32."""
    return chosen_values(pages, slice(None), torch.float32)


def copy_of(pages: Tensor) -> Tensor:
    """Other pages with the same contents."""
    if pages.dtype != QUANTIZED:
        return pages.clone()
    other = in_8_bits(torch.zeros(pages.shape, device=pages.device))
    other.copy_(pages)
    scales_of(other).copy_(scales_of(pages))
    return other


def put(pages: Tensor, block: Tensor | int, place: Tensor | int, rows: Tensor | float) -> None:
    """Write rows of all heads, or poison, at places of blocks."""
    if pages.dtype != QUANTIZED:
        pages[block, :, place] = rows
    elif isinstance(rows, float):
        pages[block, :, place] = 85
        scales_of(pages)[block, :, place] = rows
    else:
        codes, scales = quantize_rows(rows)
        pages[block, :, place] = codes
        scales_of(pages)[block, :, place] = scales
