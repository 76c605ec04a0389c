"""The choice of tiles: valid for any shape, and the measured ones where there are some."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("triton")
from townsfolk_kernels.decode.packed_projection import PackedRows
from townsfolk_kernels.decode.packed_tiles import packed_starts_early
from townsfolk_kernels.decode.tune import save
from townsfolk_kernels.gpu import tuning
from townsfolk_kernels.gpu.card import known_cards, on_paper
from townsfolk_kernels.gpu.launch import Tiles, power_of_two
from townsfolk_kernels.quantized.blocks import BlockFormat

CPU = torch.device("cpu")


def card(name):
    return next(card for card in known_cards() if card.name == name)


SIZES = st.integers(2, 1024).map(lambda n: 16 * n)


@given(st.sampled_from(["qkv", "project", "gate_up", "head"]), SIZES, SIZES, st.integers(1, 256))
def test_guesses_are_launchable(op, out_features, in_features, batch):
    tiles = tuning.choose(op, out_features, in_features, batch, CPU)
    assert tiles.rows == power_of_two(tiles.rows)
    assert tiles.uses_tensor_cores == (batch > 1)
    assert tiles.share(in_features) * tiles.splits >= in_features
    assert tuning.shared_memory(op, in_features, batch, tiles) <= 64 * 1024
    if tiles.depth:
        assert tiles.rows >= 16
        assert tiles.depth >= 16
        assert tiles.depth == power_of_two(tiles.depth)


def test_measured_tiles_are_taken(monkeypatch):
    measured = {"head 512x256 16": Tiles(64, 32, 8), "qkv 512x256 1": Tiles(8, 0, 4)}
    monkeypatch.setattr(tuning, "tuned", lambda name: measured)
    assert tuning.choose("head", 512, 256, 9, CPU) == Tiles(64, 32, 8)
    assert tuning.choose("head", 512, 256, 2, CPU) == Tiles(64, 32, 8)  # those for more rows
    with on_paper(card("NVIDIA H200")):
        guessed = tuning.guess("head", 512, 256, 32, card("NVIDIA H200"))
        assert tuning.choose("head", 512, 256, 32, torch.device("meta")) == guessed
    assert tuning.choose("qkv", 512, 256, 1, CPU) == Tiles(8, 0, 4)


def test_shipped_results_can_be_read():
    for path in tuning.SHIPPED.glob("*.json"):
        found = tuning.tuned(path.stem.replace("_", " "))
        assert found
        assert all(tiles.rows == power_of_two(tiles.rows) for tiles in found.values())


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tuning.tuned.cache_clear()
    yield tuning.own_results()
    tuning.tuned.cache_clear()


def test_own_results_are_added_and_win_over_shipped_ones(monkeypatch, own_folder):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    shipped = tuning.tuned("NVIDIA H200")
    name = next(iter(shipped))
    tuning.tuned.cache_clear()
    for own in ({name: Tiles(2, 0, 1)}, {"qkv 8x8 1": Tiles(4, 0, 2)}):
        path = save(own, CPU, own_folder)
    assert path == own_folder / "NVIDIA_H200.json"
    expected = shipped | {name: Tiles(2, 0, 1), "qkv 8x8 1": Tiles(4, 0, 2)}
    assert tuning.tuned("NVIDIA H200") == expected


def test_another_gpu_with_the_same_chip_begins_with_its_results(own_folder):
    assert tuning.tuned("NVIDIA H100 80GB HBM3") == tuning.tuned("NVIDIA H200") != {}
    assert tuning.tuned("NVIDIA GeForce RTX 4090") == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"qkv 8x8 1": {"columns": 3}}', '{"qkv 8x8 1": 3}'])
def test_results_that_cannot_be_read_are_left_out(own_folder, caplog, text):
    own_folder.mkdir(parents=True)
    (own_folder / "Some_GPU.json").write_text(text)
    assert tuning.tuned("Some GPU") == {}
    assert "townsfolk tune" in caplog.text


def test_kernels_start_early_whose_programs_fit_at_once(monkeypatch):
    early = partial(tuning.starts_early, device=torch.device("meta"))
    with on_paper(card("NVIDIA H200")):
        assert early("project", 2048, 16, Tiles(16, 0, 8, matrix=True))
        assert not early("project", 2048, 16, Tiles(16, 64, 4, splits=2))
        assert early("gate_up", 16384, 32, Tiles(64, 128, 4))
        assert not early("head", 128256, 2, Tiles(64, 128, 4))
        assert early("head", 128256, 1, Tiles(2, 0, 4))
    with on_paper(card("NVIDIA GeForce RTX 4090")):
        assert not early("head", 128256, 1, Tiles(2, 0, 4))


def test_packed_products_start_early_whose_programs_fit_at_once():
    def early(op, rows, batch, tiles):
        data = torch.empty(rows, 2560, dtype=torch.uint8, device="meta")
        return packed_starts_early(op, [PackedRows(data, BlockFormat.Q4_K, 4096)], batch, tiles)

    with on_paper(card("NVIDIA H200")):
        assert early("project", 4096, 8, Tiles(64, 128, 4, splits=2))
        assert not early("project", 4096, 8, Tiles(64, 128, 4, splits=4))
        assert early("gate_up", 16384, 8, Tiles(64, 128, 4))
        assert early("head", 128256, 1, Tiles(8, 0, 4, stages=4))
    with on_paper(card("NVIDIA GeForce RTX 4090")):
        assert not early("head", 128256, 1, Tiles(8, 0, 4, stages=4))
