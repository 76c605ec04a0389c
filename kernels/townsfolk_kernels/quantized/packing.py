"""Blocks brought into the layouts that the GPU kernels read: planes of bits, and scales.

A GGUF block mixes small integers, their scales and scales of scales at odd offsets. Here a row is
one run of bytes again, but in planes: the integers' lower bits, then further bits, then scales. The
integers stay as they are; the scales of a part are multiplied out and rounded to 16 bits where that
takes no more than 12% of memory. So 13 formats come down to seven layouts:

==========  ================================  =====  ==========================================
layout      formats                           bits   values
==========  ================================  =====  ==========================================
AFFINE4     Q4_1, Q4_K                        5      scale * integer + shift, of 32 columns
AFFINE5     Q5_0, Q5_1, Q5_K                  6      likewise
CODE4       Q4_0, IQ4_NL, IQ4_XS, MXFP4       4.5    scale * table[integer], of 32 columns
SCALED6     Q6_K                              7      scale * (integer - 32), of 16 columns
SCALED8     Q8_0                              8.5    scale * integer, of 32 columns
AFFINE2     Q2_K                              2.625  factor * a * integer - least * b, of 16
SCALED3     Q3_K                              3.563  factor * a * (integer - 4), of 16
==========  ================================  =====  ==========================================

The planes of the first five consist of 16-bit words. A word has the integers of one column of each
part of 32 columns: in a tile of words, each number comes out in the place of its word by a shift
and a mask, two at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from townsfolk_kernels.quantized.blocks import (
    E2M1_VALUES,
    IQ4_VALUES,
    BlockFormat,
    cut,
    five_bits,
    half,
    k_scales,
    unpack,
)

_ALIGNMENT = 8  # bytes, of a row


class PackedLayout(Enum):
    """The planes of a row."""

    AFFINE4 = "affine4"
    AFFINE5 = "affine5"
    CODE4 = "code4"
    SCALED6 = "scaled6"
    SCALED8 = "scaled8"
    AFFINE2 = "affine2"
    SCALED3 = "scaled3"


@dataclass(frozen=True, slots=True)
class _Planes:
    """Columns of a unit, and bytes that it takes in each plane."""

    columns: int
    nbytes: tuple[int, ...]


_PLANES = {
    PackedLayout.AFFINE4: _Planes(128, (64, 16)),
    PackedLayout.AFFINE5: _Planes(128, (64, 16, 16)),
    PackedLayout.CODE4: _Planes(128, (64, 8)),
    PackedLayout.SCALED6: _Planes(256, (128, 64, 32)),
    PackedLayout.SCALED8: _Planes(64, (64, 4)),
    PackedLayout.AFFINE2: _Planes(256, (64, 16, 4)),
    PackedLayout.SCALED3: _Planes(256, (64, 32, 16, 2)),
}

_LAYOUT_OF = {
    BlockFormat.Q4_0: PackedLayout.CODE4,
    BlockFormat.Q4_1: PackedLayout.AFFINE4,
    BlockFormat.Q5_0: PackedLayout.AFFINE5,
    BlockFormat.Q5_1: PackedLayout.AFFINE5,
    BlockFormat.Q8_0: PackedLayout.SCALED8,
    BlockFormat.Q2_K: PackedLayout.AFFINE2,
    BlockFormat.Q3_K: PackedLayout.SCALED3,
    BlockFormat.Q4_K: PackedLayout.AFFINE4,
    BlockFormat.Q5_K: PackedLayout.AFFINE5,
    BlockFormat.Q6_K: PackedLayout.SCALED6,
    BlockFormat.IQ4_NL: PackedLayout.CODE4,
    BlockFormat.IQ4_XS: PackedLayout.CODE4,
    BlockFormat.MXFP4: PackedLayout.CODE4,
}

# Where the upper bits of each part of SCALED6 are among those of a word: each byte has those of
# parts whose lower bits are in the same byte.
_PLACES = [0, 1, 4, 5, 2, 3, 6, 7]

_Q4_0_VALUES = tuple(range(-8, 8))
TABLES = {
    BlockFormat.Q4_0: _Q4_0_VALUES,
    BlockFormat.IQ4_NL: IQ4_VALUES,
    BlockFormat.IQ4_XS: IQ4_VALUES,
    BlockFormat.MXFP4: E2M1_VALUES,
}
"""What the integers of CODE4 stand for."""


def packed_layout(block_format: BlockFormat) -> PackedLayout:
    """Return the layout of rows in a format."""
    return _LAYOUT_OF[block_format]


def scale_dtype(block_format: BlockFormat) -> torch.dtype:
    """Return the dtype of scales in packed rows: MXFP4's powers of two can be beyond fp16."""
    return torch.bfloat16 if block_format is BlockFormat.MXFP4 else torch.float16


def packed_table(block_format: BlockFormat, device: torch.device) -> Tensor | None:
    """Return the constants that kernels read.

    Returns:
        For CODE4 [16] fp32, what its integers stand for; for layouts with a scale for each 16
        columns [32] int16, -1 where a column has the second of two scales, else 0; else None.
    """
    values = TABLES.get(block_format)
    if values is not None:
        return torch.tensor(values, dtype=torch.float32, device=device)
    if _PLANES[packed_layout(block_format)].columns == 256:
        return torch.tensor([0] * 16 + [-1] * 16, dtype=torch.int16, device=device)
    return None


def packed_columns(layout: PackedLayout) -> int:
    """Return the columns of a unit."""
    return _PLANES[layout].columns


def units_of(layout: PackedLayout, columns: int) -> int:
    """Return the units of a row; the last may be filled up with zeros."""
    return -(-columns // _PLANES[layout].columns)


def packed_row_bytes(block_format: BlockFormat, columns: int) -> int:
    """Return the bytes of a packed row of so many values."""
    layout = packed_layout(block_format)
    size = units_of(layout, columns) * sum(_PLANES[layout].nbytes)
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def pack(raw: Tensor, block_format: BlockFormat) -> Tensor:
    """Pack rows of blocks.

    Args:
        raw: [rows, bytes of a row], uint8, a whole number of blocks each.
        block_format: how the blocks are laid out.

    Returns:
        [rows, packed_row_bytes], uint8. It takes about 20 times the memory of `raw` meanwhile.
    """
    rows, row_bytes = raw.shape
    size = block_format.layout
    columns = row_bytes // size.nbytes * size.values
    planes = _PACKERS[block_format](raw.reshape(-1, size.nbytes), rows)
    joined = torch.cat([plane.reshape(rows, -1).view(torch.uint8) for plane in planes], dim=1)
    missing = packed_row_bytes(block_format, columns) - joined.shape[1]
    return torch.nn.functional.pad(joined, (0, missing)) if missing else joined


def unpack_rows(packed: Tensor, block_format: BlockFormat, columns: int) -> Tensor:
    """Return what packed rows stand for, in fp32: [rows, columns]."""
    layout = packed_layout(block_format)
    units = units_of(layout, columns)
    sizes = [units * each for each in _PLANES[layout].nbytes]
    planes = cut(packed[:, : sum(sizes)], *sizes)
    rows = len(packed)
    if layout in (PackedLayout.AFFINE4, PackedLayout.AFFINE5, PackedLayout.CODE4):
        integers = _fields(planes[0], 4)
        if layout is PackedLayout.AFFINE5:
            high = unpack(planes[1], 1, 16).view(rows, -1, 2, 4, 16)
            integers = integers | (high.transpose(2, 3).reshape(rows, -1, 32) << 4)
        scales = planes[-1].view(scale_dtype(block_format)).float()
        if layout is PackedLayout.CODE4:
            table = torch.tensor(TABLES[block_format], dtype=torch.float32, device=packed.device)
            values = scales.view(rows, -1, 1) * table[integers.long()]
        else:
            scales = scales.view(rows, -1, 2, 1)
            values = scales[:, :, 0] * integers.float() + scales[:, :, 1]
    elif layout is PackedLayout.SCALED8:
        integers = _fields(planes[0], 8).view(torch.int8)
        values = planes[1].view(torch.float16).view(rows, -1, 1).float() * integers.float()
    else:
        values = _unpack_sixteens(planes, layout)
    return values.reshape(rows, -1)[:, :columns]


def _unpack_sixteens(planes: list[Tensor], layout: PackedLayout) -> Tensor:
    """Return values of the layouts with a scale for each 16 columns: [rows, parts, 16] fp32."""
    rows = len(planes[0])
    if layout is PackedLayout.SCALED6:
        high = _fields(planes[1], 2).view(rows, -1, 8, 32)[:, :, _PLACES]
        low = _fields(planes[0], 4).view(rows, -1, 8, 32)
        integers = (low | (high << 4)).view(rows, -1, 16).float() - 32
        return planes[2].view(torch.float16).view(rows, -1, 1).float() * integers
    integers = unpack(planes[0], 2, 32).view(rows, -1, 16)
    factor = planes[-1].view(torch.float16).float()
    if layout is PackedLayout.AFFINE2:
        scales = planes[1].view(rows, -1, 16)
        factor = factor.view(rows, -1, 2)
        scale = (factor[..., :1] * (scales & 15).float()).view(rows, -1, 1)
        return scale * integers.float() - (factor[..., 1:] * (scales >> 4).float()).view(
            rows, -1, 1
        )
    high = unpack(planes[1], 1, 32).view(rows, -1, 16)
    scale = factor.unsqueeze(-1) * planes[2].view(torch.int8).view(rows, -1, 16).float()
    return scale.view(rows, -1, 1) * (integers.float() + 4 * high.float() - 4)


def _words(integers: Tensor, bits: int, rows: int) -> Tensor:
    """Return integers of so many bits, row by row, in 16-bit words: [rows, units, 32, 2] uint8.

    A unit has as many parts of 32 columns as a word has integers; the first are the lowest bits.
    """
    parts = _whole(integers, rows, 512 // bits).view(rows, -1, 2, 8 // bits, 32)
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=parts.device).view(-1, 1)
    halves = (parts << shifts).sum(dim=3, dtype=torch.uint8)  # [rows, units, 2, 32]
    return halves.transpose(2, 3).contiguous()


def _fields(plane: Tensor, bits: int) -> Tensor:
    """Return what `_words` has packed, part by part: [rows, parts, 32] uint8."""
    rows = len(plane)
    halves = plane.view(rows, -1, 32, 2).transpose(2, 3)
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=plane.device).view(-1, 1)
    return ((halves.unsqueeze(3) >> shifts) & ((1 << bits) - 1)).reshape(rows, -1, 32)


def _whole(values: Tensor, rows: int, unit: int) -> Tensor:
    """Return [rows, a whole number of units], filled up with zeros."""
    values = values.reshape(rows, -1)
    missing = -values.shape[1] % unit
    return torch.nn.functional.pad(values, (0, missing)) if missing else values


def _affine(scale: Tensor, shift: Tensor, rows: int) -> Tensor:
    """Return the scale and shift of each 32 columns, side by side: fp16."""
    both = torch.stack((scale.reshape(rows, -1), shift.reshape(rows, -1)), dim=-1)
    return _whole(both.half(), rows, 8)


def _pack_q4_0(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, packed = cut(blocks, 2, 16)
    return [_words(unpack(packed, 4, 16), 4, rows), _whole(scale.view(torch.float16), rows, 4)]


def _pack_q4_1(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, least, packed = cut(blocks, 2, 2, 16)
    return [_words(unpack(packed, 4, 16), 4, rows), _affine(half(scale), half(least), rows)]


def _pack_q4_k(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, least, scales, packed = cut(blocks, 2, 2, 12, 128)
    factors, leasts = k_scales(scale, least, scales)
    return [_words(unpack(packed, 4, 32), 4, rows), _affine(factors, -leasts, rows)]


def _pack_fives(integers: Tensor, scale: Tensor, shift: Tensor, rows: int) -> list[Tensor]:
    # A byte has the fifth bits of two columns, 16 apart, of each part.
    bits = (_whole(integers, rows, 128) >> 4).view(rows, -1, 4, 2, 16).transpose(2, 3)
    shifts = torch.arange(8, dtype=torch.uint8, device=bits.device).view(2, 4, 1)
    high = (bits << shifts).sum(dim=(2, 3), dtype=torch.uint8)
    return [_words(integers & 15, 4, rows), high, _affine(scale, shift, rows)]


def _pack_q5_0(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, high, low = cut(blocks, 2, 4, 16)
    integers = five_bits(high, low)
    return _pack_fives(integers, half(scale), -16 * half(scale), rows)


def _pack_q5_1(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, least, high, low = cut(blocks, 2, 2, 4, 16)
    return _pack_fives(five_bits(high, low), half(scale), half(least), rows)


def _pack_q5_k(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, least, scales, high, low = cut(blocks, 2, 2, 12, 32, 128)
    factors, leasts = k_scales(scale, least, scales)
    integers = unpack(low, 4, 32) | (unpack(high, 1, 32) << 4)
    return _pack_fives(integers, factors, -leasts, rows)


def _pack_q6_k(blocks: Tensor, rows: int) -> list[Tensor]:
    low, high, scales, scale = cut(blocks, 128, 64, 16, 2)
    factors = half(scale) * scales.view(torch.int8).float()
    upper = torch.empty_like(unpack(high, 2, 32)).view(-1, 8, 32)
    upper[:, _PLACES] = unpack(high, 2, 32).view(-1, 8, 32)
    return [_words(unpack(low, 4, 64), 4, rows), _words(upper, 2, rows), factors.half()]


def _pack_q8_0(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, values = cut(blocks, 2, 32)
    return [_words(values, 8, rows), _whole(scale.view(torch.float16), rows, 2)]


def _pack_q2_k(blocks: Tensor, rows: int) -> list[Tensor]:
    scales, packed, factors = cut(blocks, 16, 64, 4)
    return [packed, scales, factors]


def _pack_q3_k(blocks: Tensor, rows: int) -> list[Tensor]:
    high, low, scales, scale = cut(blocks, 32, 64, 12, 2)
    low_scales, high_scales = cut(scales, 8, 4)
    small = (unpack(low_scales, 4, 8) | (unpack(high_scales, 2, 4) << 4)).to(torch.int8) - 32
    return [low, high, small, scale]


def _pack_iq4_xs(blocks: Tensor, rows: int) -> list[Tensor]:
    scale, high_scales, low_scales, packed = cut(blocks, 2, 2, 4, 128)
    small = (unpack(low_scales, 4, 1) | (unpack(high_scales, 2, 1) << 4)).float() - 32
    return [_words(unpack(packed, 4, 16), 4, rows), (half(scale) * small).half()]


def _pack_mxfp4(blocks: Tensor, rows: int) -> list[Tensor]:
    exponent, packed = cut(blocks, 1, 16)
    # Half of 2 ** (exponent - 127), as the values are doubled; the two least are subnormal.
    power = exponent.int()
    bits = torch.where(power < 2, 0x00200000 << power, (power - 1) << 23)
    scale = bits.view(torch.float32).bfloat16()
    return [_words(unpack(packed, 4, 16), 4, rows), _whole(scale, rows, 4)]


_PACKERS = {
    BlockFormat.Q4_0: _pack_q4_0,
    BlockFormat.Q4_1: _pack_q4_1,
    BlockFormat.Q5_0: _pack_q5_0,
    BlockFormat.Q5_1: _pack_q5_1,
    BlockFormat.Q8_0: _pack_q8_0,
    BlockFormat.Q2_K: _pack_q2_k,
    BlockFormat.Q3_K: _pack_q3_k,
    BlockFormat.Q4_K: _pack_q4_k,
    BlockFormat.Q5_K: _pack_q5_k,
    BlockFormat.Q6_K: _pack_q6_k,
    BlockFormat.IQ4_NL: _pack_q4_0,
    BlockFormat.IQ4_XS: _pack_iq4_xs,
    BlockFormat.MXFP4: _pack_mxfp4,
}
