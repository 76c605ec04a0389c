"""Weights in blocks: the quantised formats of GGUF files, and what their bytes stand for.

A row of a weight is a run of blocks. A block holds a fixed number of values as small integers, and
one or two scales; in the K formats each 16 or 32 values have a small scale of their own, too. The
layouts are those of ggml (https://github.com/ggml-org/ggml, ggml-common.h), little-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache

import torch
from torch import Tensor

# Blocks that are brought into values at once: temporaries take 16 times a chunk's values.
_CHUNK_VALUES = 1 << 20

IQ4_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
# Twice what the 4 bits of an OCP microscaling float (E2M1) stand for.
E2M1_VALUES = (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)


@dataclass(frozen=True, slots=True)
class Layout:
    """Size of a block.

    Attributes:
        values: how many it holds.
        nbytes: how many bytes it takes.
    """

    values: int
    nbytes: int


class BlockFormat(Enum):
    """A format of blocks, by its name in ggml."""

    Q4_0 = "q4_0"
    Q4_1 = "q4_1"
    Q5_0 = "q5_0"
    Q5_1 = "q5_1"
    Q8_0 = "q8_0"
    Q2_K = "q2_k"
    Q3_K = "q3_k"
    Q4_K = "q4_k"
    Q5_K = "q5_k"
    Q6_K = "q6_k"
    IQ4_NL = "iq4_nl"
    IQ4_XS = "iq4_xs"
    MXFP4 = "mxfp4"

    @property
    def layout(self) -> Layout:
        """The size of a block."""
        return _LAYOUTS[self]

    def row_bytes(self, columns: int) -> int:
        """Return the bytes of a row of so many values, a whole number of blocks."""
        return columns // self.layout.values * self.layout.nbytes


_LAYOUTS = {
    BlockFormat.Q4_0: Layout(32, 18),
    BlockFormat.Q4_1: Layout(32, 20),
    BlockFormat.Q5_0: Layout(32, 22),
    BlockFormat.Q5_1: Layout(32, 24),
    BlockFormat.Q8_0: Layout(32, 34),
    BlockFormat.Q2_K: Layout(256, 84),
    BlockFormat.Q3_K: Layout(256, 110),
    BlockFormat.Q4_K: Layout(256, 144),
    BlockFormat.Q5_K: Layout(256, 176),
    BlockFormat.Q6_K: Layout(256, 210),
    BlockFormat.IQ4_NL: Layout(32, 18),
    BlockFormat.IQ4_XS: Layout(256, 136),
    BlockFormat.MXFP4: Layout(32, 17),
}


def dequantize(raw: Tensor, block_format: BlockFormat, dtype: torch.dtype) -> Tensor:
    """Return what the blocks stand for, computed in fp32 and rounded once.

    Args:
        raw: [rows, bytes of a row], uint8.
        block_format: how the bytes are laid out.
        dtype: of the result.

    Returns:
        [rows, values of a row].

    Raises:
        ValueError: a row is no whole number of blocks.
    """
    layout = block_format.layout
    rows, row_bytes = raw.shape
    if row_bytes % layout.nbytes:
        raise ValueError(
            f"a row of {row_bytes} bytes is no whole number of {block_format.name} blocks, "
            f"which take {layout.nbytes} each"
        )
    values = torch.empty(
        rows, row_bytes // layout.nbytes * layout.values, dtype=dtype, device=raw.device
    )
    blocks, targets = raw.reshape(-1, layout.nbytes), values.view(-1, layout.values)
    count = max(_CHUNK_VALUES // layout.values, 1)
    for part, target in zip(blocks.split(count), targets.split(count), strict=True):
        target.copy_(_VALUES[block_format](part))
    return values


def cut(blocks: Tensor, *sizes: int) -> list[Tensor]:
    """Cut every block into neighbouring fields, [blocks, size] each, which make it up."""
    return [part.contiguous() for part in blocks.split(sizes, dim=1)]


def half(field: Tensor) -> Tensor:
    """Return two bytes as fp16: [blocks, 1] fp32."""
    return field.view(torch.float16).float()


def unpack(field: Tensor, bits: int, run: int) -> Tensor:
    """Return small integers of `bits` bits: [blocks, 8 / bits * bytes of the field] uint8.

    Each run of `run` bytes gives first the lowest bits of each of its bytes, then the next ones.
    """
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=field.device)
    parts = field.view(len(field), -1, 1, run) >> shifts.view(1, 1, -1, 1)
    return (parts & ((1 << bits) - 1)).flatten(1)


@cache
def _on_device(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Make a table once: within a CUDA graph nothing can be copied from the host."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def _table(values: tuple[int, ...], indices: Tensor) -> Tensor:
    return _on_device(values, indices.device)[indices.int()]


def _q4_0(blocks: Tensor) -> Tensor:
    scale, packed = cut(blocks, 2, 16)
    return half(scale) * (unpack(packed, 4, 16).float() - 8)


def _q4_1(blocks: Tensor) -> Tensor:
    scale, least, packed = cut(blocks, 2, 2, 16)
    return half(scale) * unpack(packed, 4, 16).float() + half(least)


def five_bits(high: Tensor, low: Tensor) -> Tensor:
    """Join integers of a block whose fifth bits lie elsewhere: [blocks, 32] uint8."""
    return unpack(low, 4, 16) | (unpack(high, 1, 1) << 4)


def _q5_0(blocks: Tensor) -> Tensor:
    scale, high, low = cut(blocks, 2, 4, 16)
    return half(scale) * (five_bits(high, low).float() - 16)


def _q5_1(blocks: Tensor) -> Tensor:
    scale, least, high, low = cut(blocks, 2, 2, 4, 16)
    return half(scale) * five_bits(high, low).float() + half(least)


def _q8_0(blocks: Tensor) -> Tensor:
    scale, values = cut(blocks, 2, 32)
    return half(scale) * values.view(torch.int8).float()


def _q2_k(blocks: Tensor) -> Tensor:
    scales, packed, scale, least = cut(blocks, 16, 64, 2, 2)
    factors = (half(scale) * (scales & 15).float()).unsqueeze(-1)  # [blocks, 16, 1]
    leasts = (half(least) * (scales >> 4).float()).unsqueeze(-1)
    values = unpack(packed, 2, 32).view(-1, 16, 16).float()
    return (factors * values - leasts).flatten(1)


def _q3_k(blocks: Tensor) -> Tensor:
    high, low, scales, scale = cut(blocks, 32, 64, 12, 2)
    low_scales, high_scales = cut(scales, 8, 4)
    factors = (unpack(low_scales, 4, 8) | (unpack(high_scales, 2, 4) << 4)).float() - 32
    factors = (half(scale) * factors).unsqueeze(-1)  # [blocks, 16, 1]
    # The bit says that 4 is not taken off.
    values = unpack(low, 2, 32).float() - 4 * (unpack(high, 1, 32) ^ 1).float()
    return (factors * values.view(-1, 16, 16)).flatten(1)


def k_scales(scale: Tensor, least: Tensor, packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return scales and least values of a Q4_K or Q5_K block's 8 parts, [blocks, 8, 1] fp32 each.

    Of the 12 bytes the first four hold 6 bits of the first factors, the next four those of the
    first leasts; the rest of both is 4 bits in the last bytes and 2 at the top of the others.
    """
    first, second, rest = cut(packed, 4, 4, 4)
    factors = torch.cat((first & 63, (rest & 15) | ((first >> 2) & 48)), dim=1)
    leasts = torch.cat((second & 63, (rest >> 4) | ((second >> 2) & 48)), dim=1)
    return (
        (half(scale) * factors.float()).unsqueeze(-1),
        (half(least) * leasts.float()).unsqueeze(-1),
    )


def _q4_k(blocks: Tensor) -> Tensor:
    scale, least, scales, packed = cut(blocks, 2, 2, 12, 128)
    factors, leasts = k_scales(scale, least, scales)
    values = unpack(packed, 4, 32).view(-1, 8, 32).float()
    return (factors * values - leasts).flatten(1)


def _q5_k(blocks: Tensor) -> Tensor:
    scale, least, scales, high, low = cut(blocks, 2, 2, 12, 32, 128)
    factors, leasts = k_scales(scale, least, scales)
    values = (unpack(low, 4, 32) | (unpack(high, 1, 32) << 4)).view(-1, 8, 32).float()
    return (factors * values - leasts).flatten(1)


def _q6_k(blocks: Tensor) -> Tensor:
    low, high, scales, scale = cut(blocks, 128, 64, 16, 2)
    factors = (half(scale) * scales.view(torch.int8).float()).unsqueeze(-1)  # [blocks, 16, 1]
    values = (unpack(low, 4, 64) | (unpack(high, 2, 32) << 4)).float() - 32
    return (factors * values.view(-1, 16, 16)).flatten(1)


def _iq4_nl(blocks: Tensor) -> Tensor:
    scale, packed = cut(blocks, 2, 16)
    return half(scale) * _table(IQ4_VALUES, unpack(packed, 4, 16))


def _iq4_xs(blocks: Tensor) -> Tensor:
    scale, high_scales, low_scales, packed = cut(blocks, 2, 2, 4, 128)
    factors = (unpack(low_scales, 4, 1) | (unpack(high_scales, 2, 1) << 4)).float() - 32
    factors = (half(scale) * factors).unsqueeze(-1)  # [blocks, 8, 1]
    values = _table(IQ4_VALUES, unpack(packed, 4, 16)).view(-1, 8, 32)
    return (factors * values).flatten(1)


def _mxfp4(blocks: Tensor) -> Tensor:
    exponent, packed = cut(blocks, 1, 16)
    # Half of 2 ** (exponent - 127), as the values are doubled; the two least are subnormal.
    power = exponent.int()
    bits = torch.where(power < 2, 0x00200000 << power, (power - 1) << 23)
    return bits.view(torch.float32) * _table(E2M1_VALUES, unpack(packed, 4, 16))


_VALUES: dict[BlockFormat, Callable[[Tensor], Tensor]] = {
    BlockFormat.Q4_0: _q4_0,
    BlockFormat.Q4_1: _q4_1,
    BlockFormat.Q5_0: _q5_0,
    BlockFormat.Q5_1: _q5_1,
    BlockFormat.Q8_0: _q8_0,
    BlockFormat.Q2_K: _q2_k,
    BlockFormat.Q3_K: _q3_k,
    BlockFormat.Q4_K: _q4_k,
    BlockFormat.Q5_K: _q5_k,
    BlockFormat.Q6_K: _q6_k,
    BlockFormat.IQ4_NL: _iq4_nl,
    BlockFormat.IQ4_XS: _iq4_xs,
    BlockFormat.MXFP4: _mxfp4,
}
