"""Products with packed weights on the GPU, against fp64, at the shapes of real models."""

import pytest
import torch
from packed_checks import (
    check_packed_gate_up,
    check_packed_project,
    check_packed_project_and_add,
)
from product_checks import error
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import Tiles
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.random_blocks import random_blocks

DEVICE = "cuda"
formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)
ONE_ROW, LOOP = Tiles(8, 0, 4, stages=4), Tiles(64, 128, 4, splits=2)
IN_FIXED_POINT = ("Q4_0", "Q4_1", "Q4_K", "Q6_K", "Q8_0")
# Numbers in blocks are rounded to bf16 or fp16 before they are multiplied, and so are results.
BOUNDS = {torch.bfloat16: 6e-3, torch.float16: 1e-3}


@formats
@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("batch", [1, 2, 8, 21, 64])
def test_projections(block_format, dtype, batch):
    tiles = ONE_ROW if batch == 1 and block_format.name in IN_FIXED_POINT else LOOP
    check_packed_project(batch, 2048, [(block_format, 1000)], tiles, dtype, DEVICE)


@pytest.mark.parametrize("dependent", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("block_format", [BlockFormat.Q4_K, BlockFormat.Q6_K, BlockFormat.Q8_0])
def test_products_of_layers(block_format, batch, dependent):
    if dependent and not card_of(torch.device(DEVICE)).has_dependent_launch:
        pytest.skip("no programmatic dependent launch on this device")
    tiles = ONE_ROW if batch == 1 else LOOP
    dtype, part = torch.bfloat16, (block_format, 1030)
    check_packed_project_and_add(batch, 14336, part, tiles, dtype, DEVICE, dependent=dependent)
    check_packed_gate_up(batch, 4096, 1030, block_format, tiles, dtype, DEVICE, dependent=dependent)
    parts = [(BlockFormat.Q4_K, 700), (block_format, 300)]
    check_packed_project(batch, 4096, parts, tiles, dtype, DEVICE, dependent=dependent)


@formats
def test_matrices(block_format):
    raw = random_blocks(block_format, 500, 2048, 0.05, torch.Generator().manual_seed(7))
    matrix = PackedMatrix(block_format, 500, 2048, torch.device(DEVICE))
    matrix.fill(200, raw[200:].to(DEVICE))
    matrix.fill(0, raw[:200].to(DEVICE))
    expected = dequantize(raw, block_format, torch.float32).to(DEVICE)
    values = matrix.values(0, 500, torch.float32)
    # Scales are rounded to fp16.
    assert (values - expected).abs().max() < 2**-10 * expected.abs().max()
    ids = torch.tensor([499, 3, 3], device=DEVICE)
    assert torch.equal(matrix.gather(ids, torch.float32), values[ids])
    for rows in (1, 33, 300):
        x = torch.randn(rows, 2048, device=DEVICE).bfloat16()
        bias = torch.randn(500, device=DEVICE).bfloat16()
        wide = torch.full((rows, 600), torch.nan, device=DEVICE, dtype=torch.bfloat16)
        matrix.multiply(x, wide[:, 60:560], bias)
        assert error(wide[:, 60:560], x.double() @ values.double().T + bias) < 6e-3
        assert wide[:, :60].isnan().all()
        assert wide[:, 560:].isnan().all()
