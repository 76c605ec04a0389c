"""The CPU's compiled products with weights in blocks, against the arithmetic that they promise."""

import pytest
import torch
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.interleaved import InterleavedMatrix
from townsfolk_kernels.quantized.random_blocks import random_blocks

CPU = torch.device("cpu")
FORMATS = [
    BlockFormat.Q8_0,
    BlockFormat.Q4_0,
    BlockFormat.Q4_1,
    BlockFormat.Q5_0,
    BlockFormat.Q5_1,
    BlockFormat.Q4_K,
    BlockFormat.Q5_K,
    BlockFormat.Q6_K,
]
formats = pytest.mark.parametrize("block_format", FORMATS, ids=lambda f: f.name)
ROWS, COLUMNS = 70, 512


def matrix_of(block_format, rows=ROWS, raw=None):
    if raw is None:
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        raw = random_blocks(block_format, rows, COLUMNS, 0.05, generator)
    matrix = InterleavedMatrix(block_format, rows, COLUMNS, CPU)
    matrix.blocks.fill_(0xFF)  # what is not filled is NaN
    for first, end in ((33, rows), (0, 7), (7, 33)):
        matrix.fill(first, raw[first:end].clone())
    return matrix


def product(matrix, x):
    out = torch.full((len(x), matrix.rows), torch.nan)
    matrix.multiply(x, out, None)
    return out


def in_8_bits(x):
    """Rows as the products see them."""
    runs = x.unflatten(1, (-1, 32))
    most = runs.abs().amax(dim=2, keepdim=True)
    return ((runs * (127 / most).nan_to_num(posinf=0)).round() * (most / 127)).flatten(1)


def near_ties(x):
    """What one step of 8 bits is worth to those that stand between two: they may go either way."""
    runs = x.unflatten(1, (-1, 32))
    most = runs.abs().amax(dim=2, keepdim=True)
    steps = (runs * (127 / most).nan_to_num(posinf=0)).abs()
    return ((steps.frac() - 0.5).abs().lt(1e-4) * (most / 127)).flatten(1)


@formats
def test_rows_are_those_of_the_file_but_for_the_rounding_of_scales(block_format):
    raw = random_blocks(block_format, ROWS, COLUMNS, 0.05, torch.Generator().manual_seed(3))
    matrix = matrix_of(block_format, raw=raw)
    ids = torch.tensor([69, 3, 16, 3, 0, 33])
    rows = dequantize(raw, block_format, torch.float32)[ids]
    found = matrix.gather(ids, torch.float32)
    # Scales of K formats are products of two numbers, here rounded to fp16.
    slack = 2**-10 * rows.abs().max() if block_format.name.endswith("_K") else 0
    assert (found - rows).abs().max() <= slack
    assert torch.equal(matrix.gather(ids, torch.bfloat16), found.bfloat16())
    assert matrix.gather(ids[:0], torch.float32).shape == (0, COLUMNS)


@pytest.mark.parametrize("row", [-1, ROWS])
def test_a_row_outside_is_refused(row):
    with pytest.raises(IndexError, match="outside the 70 rows"):
        matrix_of(BlockFormat.Q4_K).gather(torch.tensor([0, row]), torch.float32)


@formats
@pytest.mark.parametrize("rows", [1, 2, 4, 7, 70])
def test_products_are_those_of_rows_in_8_bits(block_format, rows):
    matrix = matrix_of(block_format)
    x = torch.randn(rows, COLUMNS) * torch.logspace(-3, 3, COLUMNS)
    x[0, 32:64] = 0
    values = matrix.values(0, ROWS, torch.float32).double()
    expected = in_8_bits(x).double() @ values.T
    scale = in_8_bits(x).double().abs() @ values.T.abs()
    slack = near_ties(x).double() @ values.T.abs()
    assert ((product(matrix, x) - expected).abs() < 2e-6 * scale + slack).all()


@formats
def test_the_error_is_within_its_bound(block_format):
    matrix = matrix_of(block_format)
    x = torch.randn(5, COLUMNS)
    values = matrix.values(0, ROWS, torch.float32).double()
    most = x.unflatten(1, (-1, 32)).abs().amax(dim=2).repeat_interleave(32, dim=1)
    bound = most.double() / 254 @ values.T.abs()
    assert ((product(matrix, x) - x.double() @ values.T).abs() <= bound * 1.0001).all()


@formats
def test_a_row_has_the_same_bits_alone_and_in_any_batch(block_format):
    matrix = matrix_of(block_format)
    x = torch.randn(70, COLUMNS)
    together = product(matrix, x)
    for begin, end in ((0, 1), (3, 6), (8, 15), (64, 70), (5, 70)):
        assert torch.equal(product(matrix, x[begin:end]), together[begin:end])


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_integers_add_up(sign):
    """As where a processor adds products of bytes in 16 bits."""
    raw = torch.full((ROWS, COLUMNS // 32, 34), 0x80, dtype=torch.uint8)  # -128 each
    raw[:, :, :2] = torch.tensor([1.0], dtype=torch.float16).view(torch.uint8)
    matrix = matrix_of(BlockFormat.Q8_0, raw=raw.flatten(1))
    x = torch.full((5, COLUMNS), sign)
    torch.testing.assert_close(product(matrix, x), torch.full((5, ROWS), -128.0 * COLUMNS * sign))


def test_growth_is_within_what_docs_say():
    for block_format in FORMATS:
        matrix = InterleavedMatrix(block_format, 64, COLUMNS, CPU)
        stored = 64 * block_format.row_bytes(COLUMNS)
        assert matrix.nbytes <= 1.12 * stored
