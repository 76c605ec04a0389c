"""The bench's renderer draws with OpenGL; without a GPU, Mesa does it on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.town import Town

SIZE = (96, 54)


@pytest.fixture(scope="module")
def town():
    return Town(size=SIZE)


def test_a_town_is_seen_below_the_sky(town):
    town.run(2)
    pixels = town.pixels().astype(int)
    assert pixels.shape == (54, 96, 4)
    sky, ground = pixels[:4], pixels[-20:]
    assert (sky[..., 2] > sky[..., 0]).all()  # blue
    assert np.unique(ground[..., :3].reshape(-1, 3), axis=0).shape[0] > 50
    assert (ground[..., 0] < 20).mean() < 0.5  # lit


def test_the_camera_moves_between_frames(town):
    town.run(1)
    before = town.pixels().copy()
    for _ in range(5):
        town.run(1)
    assert (before != town.pixels()).any()


def test_passes_take_the_processors_time(town):
    town.run(1)
    one = min(town.run(1) for _ in range(3))
    assert 0 < one < min(town.run(60) for _ in range(2))


def test_a_gpu_that_egl_does_not_know_is_told_with_those_that_it_does(town):
    with pytest.raises(MeasurementError, match="knows no GPU 00000000"):
        Town("00000000-0000-0000-0000-000000000000", SIZE)
