"""Numbers into blocks and back."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.quantize import quantize

FORMATS = [BlockFormat.Q8_0, BlockFormat.Q4_1, BlockFormat.Q4_K]
formats = pytest.mark.parametrize("block_format", FORMATS, ids=lambda f: f.name)
# Relative to the values: of 8 bits, and of 4 with a scale for each 32.
BOUNDS = {BlockFormat.Q8_0: 0.006, BlockFormat.Q4_1: 0.075, BlockFormat.Q4_K: 0.08}


def back(raw, block_format):
    return dequantize(raw, block_format, torch.float32)


def error(values, raw, block_format, importance=1.0):
    off = (back(raw, block_format) - values).square() * importance
    return float((off.sum() / (values.square() * importance).sum()).sqrt())


@formats
def test_errors_are_those_of_the_bits(block_format):
    values = torch.randn(33, 512) * 0.02
    assert error(values, quantize(values, block_format), block_format) < BOUNDS[block_format]


@formats
@pytest.mark.parametrize("offset", [-3.0, 3.0])
def test_values_that_are_not_around_zero(block_format, offset):
    values = torch.randn(5, 256) + offset
    assert error(values, quantize(values, block_format), block_format) < 0.08


@formats
def test_zeros_stay_zeros(block_format):
    raw = quantize(torch.zeros(2, 256), block_format)
    assert torch.equal(back(raw, block_format), torch.zeros(2, 256))


@formats
@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_small_and_large_values(block_format, scale):
    values = torch.randn(4, 256) * scale
    found = back(quantize(values, block_format), block_format)
    assert found.isfinite().all()
    if scale > 1:
        assert error(values, quantize(values, block_format), block_format) < BOUNDS[block_format]


@pytest.mark.parametrize("name", ["Q8_0", "Q4_1"])
def test_it_is_no_worse_than_the_package(name):
    values = torch.randn(64, 256) * 0.1
    kind = GGMLQuantizationType[name]
    theirs = quants.dequantize(quants.quantize(values.numpy(), kind), kind)
    their_error = np.linalg.norm(theirs - values.numpy()) / np.linalg.norm(values.numpy())
    own = BlockFormat[name]
    assert error(values, quantize(values, own), own) <= 1.02 * their_error


@pytest.mark.parametrize("block_format", FORMATS[1:], ids=lambda f: f.name)
def test_important_columns_are_closer(block_format):
    values = torch.randn(64, 512)
    importance = torch.rand(512) ** 4 * 10 + 0.01
    told, untold = quantize(values, block_format, importance), quantize(values, block_format)
    assert error(values, told, block_format, importance) < 0.97 * error(
        values, untold, block_format, importance
    )


def test_more_rows_than_are_made_at_once(monkeypatch):
    values = torch.randn(9, 256)
    whole = quantize(values, BlockFormat.Q4_K)
    monkeypatch.setattr("townsfolk_kernels.quantized.quantize._CHUNK_VALUES", 512)
    assert torch.equal(quantize(values, BlockFormat.Q4_K), whole)


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match="Q8_0, Q4_1, Q4_K, not into Q2_K"):
        quantize(torch.zeros(1, 256), BlockFormat.Q2_K)
