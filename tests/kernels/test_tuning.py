"""The choice of tiles: valid for any shape, and the measured ones where there are some."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("triton")
from townsfolk_kernels.triton import tuning
from townsfolk_kernels.triton.launch import Tiles, power_of_two

CPU = torch.device("cpu")
SIZES = st.integers(2, 1024).map(lambda n: 16 * n)


@given(st.sampled_from(["qkv", "project", "gate_up", "head"]), SIZES, SIZES, st.integers(1, 256))
def test_guesses_are_launchable(op, out_features, in_features, batch):
    within = 64 if op == "qkv" else 0
    tiles = tuning.choose(op, out_features, in_features, batch, CPU, within)
    assert tiles.rows == power_of_two(tiles.rows)
    assert tiles.uses_tensor_cores == (batch > 1)
    if tiles.uses_tensor_cores:
        assert tiles.rows >= 16
        assert tiles.depth >= 16
        assert tiles.depth == power_of_two(tiles.depth)
    if op == "qkv":
        assert within % tiles.rows == 0
        assert tiles.rows > 1  # a pair of rotary dimensions lies in one tile
    assert op == "project" or tiles.splits == 1


def test_measured_tiles_are_taken(monkeypatch):
    measured = {"head 512x256 16": Tiles(64, 128, 8), "qkv 512x256 1": Tiles(8, 0, 4)}
    monkeypatch.setattr(tuning, "tuned", lambda name: measured)
    assert tuning.choose("head", 512, 256, 9, CPU) == Tiles(64, 128, 8)
    assert tuning.choose("head", 512, 256, 2, CPU) == Tiles(64, 128, 8)  # by tensor cores, too
    assert tuning.choose("head", 512, 256, 32, CPU) == tuning.guess("head", 512, 256, 32)
    assert tuning.choose("qkv", 512, 256, 1, CPU, within=64) == Tiles(8, 0, 4)
    assert tuning.choose("qkv", 512, 256, 1, CPU, within=4) != Tiles(8, 0, 4)


def test_shipped_results_can_be_read():
    for path in tuning.TUNED.glob("*.json"):
        found = tuning.tuned(path.stem.replace("_", " "))
        assert found
        assert all(tiles.rows == power_of_two(tiles.rows) for tiles in found.values())
