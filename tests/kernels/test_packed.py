"""Products with packed weights, run by Triton's interpreter, against fp64."""

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from guarded_memory import guarded
from packed_checks import (
    check_packed_gate_up,
    check_packed_project,
    check_packed_project_and_add,
)
from product_checks import error
from townsfolk_kernels.decode.operands import LaunchConfig
from townsfolk_kernels.decode.packed_projection import PackedRows, project_packed
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles
from townsfolk_kernels.prefill.dequantize import dequantize_packed
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.packing import pack, packed_table, unpack_rows
from townsfolk_kernels.quantized.random_blocks import random_blocks

formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)
CPU = torch.device("cpu")
ONE_ROW, IN_A_LOOP = Tiles(4, 0, 4, stages=2), Tiles(16, 128, 4)
SPLIT = Tiles(16, 128, 4, splits=3)
IN_FIXED_POINT = [getattr(BlockFormat, name) for name in ("Q4_0", "Q4_1", "Q4_K", "Q6_K", "Q8_0")]

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


def width_of(block_format, ragged=False):
    if block_format.layout.values == 256:
        return 768 if ragged else 512
    return 352 if ragged else 256


@formats
def test_values_are_those_of_the_packed_rows(block_format):
    columns = width_of(block_format, ragged=True)
    raw = random_blocks(block_format, 37, columns, 0.05, torch.Generator().manual_seed(5))
    data = guarded(pack(raw, block_format))
    expected = unpack_rows(data, block_format, columns)
    table = packed_table(block_format, data.device)
    found = dequantize_packed(data, block_format, columns, torch.float32, table)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    ids = guarded(torch.tensor([36, 0, 5, 5]))
    few = dequantize_packed(data, block_format, columns, torch.float32, table, ids)
    assert torch.equal(few, found[ids])
    blocks = dequantize(raw, block_format, torch.float32)
    assert (found - blocks).abs().max() < 2**-10 * blocks.abs().max()


@formats
@pytest.mark.parametrize("tiles", [IN_A_LOOP, SPLIT], ids=["in a loop", "split"])
def test_rows_in_a_loop(block_format, tiles):
    width = width_of(block_format, ragged=tiles is SPLIT)
    dtype = torch.float16 if tiles is SPLIT else torch.float32
    check_packed_project(3, width, [(block_format, 21)], tiles, dtype, "cpu")


@pytest.mark.parametrize("block_format", IN_FIXED_POINT, ids=lambda f: f.name)
@pytest.mark.parametrize("blocks", [1, 2])
def test_a_row_in_fixed_point(block_format, blocks):
    tiles = Tiles(4, 0, 1, stages=blocks)
    width = width_of(block_format, ragged=blocks == 2)
    check_packed_project(1, width, [(block_format, 6)], tiles, torch.float16, "cpu")


def row_times_ones(x):
    """A row in fixed point times a weight whose first 64 columns are 0 and others 1."""
    raw = torch.ones(3, 2, 34, dtype=torch.uint8)
    raw[:, :, :2] = torch.tensor([0.0, 1.0]).half().view(2, 1).view(torch.uint8)
    raw = raw.repeat_interleave(2, dim=1).view(3, -1)
    data = pack(raw, BlockFormat.Q8_0)
    weight = PackedRows(data, BlockFormat.Q8_0, 128, packed_table(BlockFormat.Q8_0, CPU))
    out, space = torch.full((1, 3), torch.nan), SplitWorkspace.allocate(0, 0, CPU)
    project_packed(
        x, (weight,), out, LaunchConfig(Tiles(4, 0, 4, stages=1), space, dependent=False)
    )
    return out


def test_large_numbers_leave_far_ones_of_a_row_their_digits():
    x = torch.randn(1, 128).half() * 1e-3
    expected = x[0, 64:].double().sum()
    x[0, :64] = 6e4
    assert (row_times_ones(x) - expected).abs().max() < 1e-4 * x[0, 64:].double().norm()


def test_what_is_no_number_in_a_row_leaves_none():
    x = torch.randn(1, 128).half()
    x[0, 77] = torch.nan
    assert row_times_ones(x).isnan().all()


@formats
def test_matrices(block_format):
    columns = width_of(block_format)
    raw = random_blocks(block_format, 37, columns, 0.05, torch.Generator().manual_seed(6))
    matrix = PackedMatrix(block_format, 37, columns, CPU)
    assert matrix.nbytes == PackedMatrix(block_format, 37, columns, torch.device("meta")).nbytes
    matrix.fill(12, raw[12:].clone())
    matrix.fill(0, raw[:12].clone())
    expected = unpack_rows(pack(raw, block_format), block_format, columns)
    values = matrix.values(0, 37, torch.float32)
    assert (values - expected).abs().max() < 1e-5 * expected.abs().max()
    assert torch.equal(matrix.gather(torch.tensor([36, 1]), torch.float32), values[[36, 1]])
    matrix.multiply(torch.empty(0, columns).half(), torch.empty(0, 37).half(), None)
    for rows in (1, 65):
        x, bias = torch.randn(rows, columns).half(), torch.randn(37).half()
        wide = torch.full((rows, 60), torch.nan, dtype=torch.float16)
        matrix.multiply(x, wide[:, 10:47], bias)
        assert error(wide[:, 10:47], x.double() @ values.double().T + bias) < 1e-3
        assert wide[:, :10].isnan().all()
        assert wide[:, 47:].isnan().all()


@pytest.mark.parametrize("tiles", [ONE_ROW, IN_A_LOOP], ids=["one row", "in a loop"])
def test_parts_of_two_formats(tiles):
    batch, rows = (1, (6, 5)) if tiles is ONE_ROW else (5, (37, 11))
    parts = list(zip((BlockFormat.Q4_K, BlockFormat.Q6_K), rows, strict=True))
    check_packed_project(batch, 512, parts, tiles, torch.float16, "cpu")


@pytest.mark.parametrize("tiles", [ONE_ROW, IN_A_LOOP, SPLIT], ids=["one row", "loop", "split"])
@pytest.mark.parametrize("block_format", [BlockFormat.Q4_K, BlockFormat.Q6_K], ids=str)
def test_added_to_the_residual_stream(tiles, block_format):
    batch, rows = (1, 6) if tiles is ONE_ROW else (6, 37)
    check_packed_project_and_add(batch, 512, (block_format, rows), tiles, torch.float16, "cpu")


@pytest.mark.parametrize("tiles", [ONE_ROW, IN_A_LOOP, SPLIT], ids=["one row", "loop", "split"])
@pytest.mark.parametrize("block_format", [BlockFormat.Q4_K, BlockFormat.Q8_0], ids=str)
def test_gate_and_up(tiles, block_format):
    batch, rows = (1, 6) if tiles is ONE_ROW else (2, 21)
    check_packed_gate_up(batch, 512, rows, block_format, tiles, torch.float16, "cpu")
