"""Packed rows stand for what their blocks do, in hardly more memory."""

import pytest
import torch
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.packing import pack, packed_row_bytes, unpack_rows
from townsfolk_kernels.quantized.random_blocks import random_blocks

formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)
# Their scales are kept as they are.
EXACT = {
    BlockFormat.Q2_K,
    BlockFormat.Q3_K,
    BlockFormat.Q4_0,
    BlockFormat.Q4_1,
    BlockFormat.Q5_0,
    BlockFormat.Q5_1,
    BlockFormat.Q8_0,
    BlockFormat.IQ4_NL,
    BlockFormat.MXFP4,
}


def blocks(block_format, rows, columns):
    return random_blocks(block_format, rows, columns, 0.05, torch.Generator().manual_seed(3))


def widths(block_format):
    """A row of an odd number of units where the format has such, and a long one."""
    return (256, 768) if block_format.layout.values == 256 else (32, 96, 576)


@formats
def test_values_are_those_of_the_blocks(block_format):
    for columns in widths(block_format):
        raw = blocks(block_format, 17, columns)
        expected = dequantize(raw, block_format, torch.float32)
        packed = pack(raw, block_format)
        assert packed.shape == (17, packed_row_bytes(block_format, columns))
        found = unpack_rows(packed, block_format, columns)
        if block_format in EXACT:
            assert torch.equal(found, expected)
            continue
        # A scale is off by 2**-11 of itself at most, and so is what is added.
        largest = expected.abs().amax()
        assert (found - expected).abs().max() < 2**-10 * largest


@formats
def test_memory_grows_by_an_eighth_at_most(block_format):
    for columns in (2048, 4096, 14336):
        grown = packed_row_bytes(block_format, columns) / block_format.row_bytes(columns)
        assert grown <= 1.12
