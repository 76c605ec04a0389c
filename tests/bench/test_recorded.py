"""Recorded figures are shown for the GPU that they were taken on, and for no other."""

import pytest
from townsfolk.bench import recorded
from townsfolk.bench.tavern import with_recorded
from townsfolk.models import NAMED_SHAPES

H200 = "NVIDIA H200"


@pytest.mark.parametrize("gpu", [None, "NVIDIA GeForce RTX 4090", "NVIDIA H20"])
def test_no_figures_of_another_gpu(gpu):
    assert recorded.source(gpu) is None
    assert recorded.decode(gpu, "llama-3.2-1b", 1) is None
    assert recorded.prefill(gpu, "llama-3.2-1b") is None
    assert not recorded.tavern(gpu, "llama-3.2-1b")


@pytest.mark.parametrize("gpu", [H200, "NVIDIA H100 80GB HBM3"])
@pytest.mark.parametrize("shape", ["llama-3.2-1b", "llama-3.1-8b"])
def test_every_batch_of_the_bench_is_recorded(gpu, shape):
    assert shape in NAMED_SHAPES
    rates = [recorded.decode(gpu, shape, batch) for batch in (1, 2, 4, 8, 16, 32, 64)]
    assert all(rates)
    assert rates == sorted(rates)
    assert recorded.decode(gpu, shape, 3) is None
    low, high = recorded.prefill(gpu, shape)
    assert 0 < low <= high
    assert "ecorded" in recorded.source(gpu)


def test_the_tavern_shows_them_where_there_are_some():
    rows = [{"NPCs": 64, "tok/s": 848.0}, {"NPCs": 128, "tok/s": 1700.0}]
    both = with_recorded(rows, H200, "llama-3.2-1b")
    assert both[0]["peer tok/s"] == 536
    assert both[1]["peer tok/s"] is None
    assert both[0]["tok/s"] == 848.0
    assert with_recorded(rows, None, "llama-3.2-1b") == rows
