"""Formats of quantised blocks, against the `gguf` package."""

import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize

formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)


def random_rows(block_format, rows, blocks, seed):
    """Bytes of any value: scales that are not finite, too."""
    count = (rows, blocks * block_format.layout.nbytes)
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8)


def same_bits(ours, expected):
    assert ours.dtype == expected.dtype
    numbers = ~np.isnan(expected)
    assert np.array_equal(numbers, ~np.isnan(ours))
    assert np.array_equal(ours.view(np.uint32)[numbers], expected.view(np.uint32)[numbers])


@formats
def test_layouts_are_those_of_the_package(block_format):
    sizes = GGML_QUANT_SIZES[GGMLQuantizationType[block_format.name]]
    assert (block_format.layout.values, block_format.layout.nbytes) == sizes


@formats
@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_the_package_to_the_bit(block_format, seed):
    rows = random_rows(block_format, 5, 40, seed)
    with np.errstate(all="ignore"):
        expected = quants.dequantize(rows, GGMLQuantizationType[block_format.name])
    ours = dequantize(torch.from_numpy(rows), block_format, torch.float32)
    same_bits(ours.numpy(), expected)


def test_every_exponent_of_mxfp4():
    rows = random_rows(BlockFormat.MXFP4, 256, 1, 0)
    rows[:, 0] = np.arange(256)
    expected = quants.dequantize(rows, GGMLQuantizationType.MXFP4)
    same_bits(
        dequantize(torch.from_numpy(rows), BlockFormat.MXFP4, torch.float32).numpy(), expected
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes_are_rounded_once(dtype):
    rows = torch.from_numpy(random_rows(BlockFormat.Q8_0, 3, 7, 1))
    rows.view(3, 7, 34)[:, :, 1] = 0x2C  # scales near 0.06, as fp16
    exact = dequantize(rows, BlockFormat.Q8_0, torch.float32)
    assert torch.equal(dequantize(rows, BlockFormat.Q8_0, dtype), exact.to(dtype))


def test_more_blocks_than_are_brought_into_values_at_once(monkeypatch):
    rows = torch.from_numpy(random_rows(BlockFormat.Q6_K, 6, 11, 2))
    whole = dequantize(rows, BlockFormat.Q6_K, torch.float32)
    monkeypatch.setattr("townsfolk_kernels.quantized.blocks._CHUNK_VALUES", 5 * 256)
    parts = dequantize(rows, BlockFormat.Q6_K, torch.float32)
    same_bits(parts.numpy(), whole.numpy())


def test_a_part_of_a_block_is_refused():
    with pytest.raises(ValueError, match="no whole number of Q4_K blocks"):
        dequantize(torch.zeros(2, 143, dtype=torch.uint8), BlockFormat.Q4_K, torch.float32)
