"""Weights in blocks multiply as the numbers do that they stand for."""

import pytest
import torch
from torch import Tensor
from townsfolk_kernels import linear, pack_linear, use_reference
from townsfolk_kernels.ops.embedding import embedding
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.interleaved import InterleavedMatrix
from townsfolk_kernels.quantized.matrix import (
    QUANTIZED,
    QuantizedMatrix,
    RawMatrix,
    quantized_matrix,
)
from townsfolk_kernels.quantized.random_blocks import random_blocks

CPU = torch.device("cpu")
formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
COLUMNS = 512
# Results are rounded once, to a mantissa of 24 or 8 bits.
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 6e-3}
# The CPU's own layout rounds scales that are products to fp16, and rows to 8 bits.
ROUNDED_SCALES = {BlockFormat.Q4_K, BlockFormat.Q5_K, BlockFormat.Q6_K}
ROUNDED_ROWS = 8e-3


@pytest.fixture(params=["reference", "cpu"])
def make(request):
    """Makes matrices in the layout of the reference, and in the CPU's own."""
    return RawMatrix if request.param == "reference" else quantized_matrix


def blocks(block_format, rows, seed=0, columns=COLUMNS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return random_blocks(block_format, rows, columns, 0.05, generator)


def filled(make, block_format, rows, seed=0) -> tuple[QuantizedMatrix, Tensor]:
    """A matrix, filled in two runs of rows, the last ones first; and its values."""
    raw = blocks(block_format, rows, seed)
    matrix = make(block_format, rows, COLUMNS, CPU)
    matrix.fill(rows // 3, raw[rows // 3 :].clone())
    matrix.fill(0, raw[: rows // 3].clone())
    return matrix, dequantize(raw, block_format, torch.float32)


def error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference, relative; NaN where something was not written."""
    return float((found.double() - expected).norm() / expected.norm())


@formats
def test_random_blocks_are_about_as_large_as_asked_for(block_format):
    values = dequantize(blocks(block_format, 64), block_format, torch.float32)
    assert values.isfinite().all()
    assert 0.03 < values.std() < 0.08
    assert values.mean().abs() < 0.01


@formats
def test_values_and_rows_are_those_of_the_blocks(make, block_format):
    matrix, expected = filled(make, block_format, 37)
    if isinstance(matrix, InterleavedMatrix) and block_format in ROUNDED_SCALES:
        found = matrix.values(0, 37, torch.float32)
        assert (found - expected).abs().max() < 1e-3 * expected.abs().max()
        expected = found
    assert torch.equal(matrix.values(0, 37, torch.float32), expected)
    assert torch.equal(matrix.values(5, 9, torch.bfloat16), expected[5:14].bfloat16())
    ids = torch.tensor([36, 0, 5, 5])
    assert torch.equal(embedding(ids, matrix, torch.float32), expected[ids])
    with pytest.raises(IndexError):
        embedding(torch.tensor([37]), matrix, torch.float32)


@formats
@dtypes
@pytest.mark.parametrize("rows", [1, 3, 17])
def test_products_are_within_rounding(make, block_format, dtype, rows):
    matrix, values = filled(make, block_format, 70, seed=rows)
    x, bias = torch.randn(rows, COLUMNS).to(dtype), torch.randn(70).to(dtype)
    wide = torch.full((rows, 100), torch.nan, dtype=dtype)
    matrix.multiply(x, wide[:, 10:80], bias)
    expected = x.double() @ values.double().T + bias.double()
    bound = BOUNDS[dtype] + (ROUNDED_ROWS if isinstance(matrix, InterleavedMatrix) else 0)
    assert error(wide[:, 10:80], expected) < bound
    assert wide[:, :10].isnan().all()
    assert wide[:, 80:].isnan().all()


@dtypes
@pytest.mark.parametrize("has_bias", [False, True])
def test_stacks_of_several_formats(dtype, has_bias):
    q4, q4_values = filled(RawMatrix, BlockFormat.Q4_K, 48)
    q6, q6_values = filled(RawMatrix, BlockFormat.Q6_K, 16)
    numbers = torch.randn(8, COLUMNS)
    bias = torch.randn(72) if has_bias else None
    stack = StackedWeight([q4, pack_linear(numbers.clone()), q6], [48, 8, 16], bias)
    values = torch.cat((q4_values, numbers, q6_values))
    assert torch.equal(stack.dense()[0], values)
    x = torch.randn(5, COLUMNS)
    expected = x @ values.T + (0 if bias is None else bias)
    torch.testing.assert_close(linear(x, stack), expected, atol=1e-4, rtol=1e-5)
    with use_reference():
        torch.testing.assert_close(linear(x, stack), expected, atol=1e-4, rtol=1e-5)


def test_memory_is_that_of_the_blocks():
    matrix = RawMatrix(BlockFormat.Q4_K, 48, COLUMNS, CPU)
    assert matrix.nbytes == 48 * 2 * 144
    bias = torch.zeros(48)
    assert StackedWeight([matrix], [48], bias).nbytes == matrix.nbytes + 48 * 4


@formats
def test_layouts_take_little_more_than_the_blocks(block_format):
    """The size is known before there is memory for it, and within what a limit is planned with."""
    make = QUANTIZED.pick("cpu")
    planned = make(block_format, 4096, 2048, torch.device("meta")).nbytes
    assert planned <= 1.12 * 4096 * block_format.row_bytes(2048)
