"""Products of 1 to 64 rows on the GPU against fp64: odd widths, dtypes, ways to cut them."""

import pytest
import torch
from product_checks import check_gate_up, check_project, check_project_and_add
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import Tiles
from townsfolk_kernels.gpu.tuning import choose

DEVICE = torch.device("cuda")
DTYPES = [torch.bfloat16, torch.float16, torch.float32]
CASES = [(torch.bfloat16, batch) for batch in (1, 2, 3, 5, 8, 16, 17, 33, 64)]
CASES += [(dtype, batch) for dtype in DTYPES[1:] for batch in (1, 4, 40)]
SIZES = [(64, 48), (100, 50), (200, 1000), (576, 1536), (2048, 96), (5000, 320)]  # in, out
KINDS = {
    "in registers": (Tiles(4, 0, 4), (1, 3)),
    "in registers, split": (Tiles(2, 0, 2, splits=3), (1, 4)),
    "by slices": (Tiles(16, 0, 8, matrix=True), (2, 16)),
    "by slices, few rows": (Tiles(8, 0, 4, splits=3, matrix=True), (5, 9)),
    "in a loop": (Tiles(32, 64, 4, stages=3), (7, 40)),
    "in a loop, split": (Tiles(64, 128, 8, stages=3, splits=4), (16, 64)),
}


def any_of(options):
    return options[int(torch.randint(len(options), ()))]


def default(op, out_features, in_features, batch, dtype):
    tiles = choose(op, out_features, in_features, batch, DEVICE)
    return tiles if dtype.itemsize == 2 else tiles.in_full_precision()


@pytest.mark.parametrize(("dtype", "batch"), CASES, ids=str)
def test_project_and_add(dtype, batch):
    width, hidden = any_of(SIZES)
    tiles = default("project", hidden, width, batch, dtype)
    check_project_and_add(batch, width, hidden, tiles, dtype, "cuda")


@pytest.mark.parametrize(("dtype", "batch"), CASES, ids=str)
def test_gate_up(dtype, batch):
    width, inner = any_of(SIZES)
    tiles = default("gate_up", 2 * inner, width, batch, dtype)
    check_gate_up(batch, width, inner, tiles, dtype, "cuda")


@pytest.mark.parametrize(("dtype", "batch"), CASES, ids=str)
def test_project(dtype, batch):
    width, out = any_of(SIZES)
    check_project(batch, width, out, default("head", out, width, batch, dtype), dtype, "cuda")


@pytest.mark.parametrize("kind", KINDS)
def test_ways_to_cut_a_product(kind):
    tiles, batches = KINDS[kind]
    batch, dtype = any_of(batches), any_of(DTYPES[:2])
    width, out = any_of(SIZES[:-1])
    check_project(batch, width, out, tiles, dtype, "cuda")
    check_project_and_add(batch, width, out, tiles, dtype, "cuda")
    check_gate_up(batch, width, out, tiles, dtype, "cuda")


@pytest.mark.parametrize("batch", [1, 5, 16, 64])
def test_dependent_launch_changes_no_bit(batch):
    if not card_of(DEVICE).has_dependent_launch:
        pytest.skip("the GPU has no dependent launch: it needs compute capability 9.0")
    results = []
    for dependent in (False, True):
        torch.manual_seed(batch)
        tiles = default("project", 1536, 576, batch, torch.bfloat16)
        results.append(
            check_project_and_add(
                batch, 576, 1536, tiles, torch.bfloat16, "cuda", dependent=dependent
            )
        )
        tiles = default("gate_up", 3072, 576, batch, torch.bfloat16)
        results.append(
            check_gate_up(batch, 576, 1536, tiles, torch.bfloat16, "cuda", dependent=dependent)
        )
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], results[3])
