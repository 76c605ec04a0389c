"""Tests that need a CUDA device. Elsewhere they are collected, so that they import, and no more."""

import pytest
import torch


def pytest_collection_modifyitems(config, items):
    here = [item for item in items if "gpu" in item.path.parts]
    for item in here:
        item.add_marker(pytest.mark.gpu)
    if not torch.cuda.is_available():
        items[:] = [item for item in items if "gpu" not in item.path.parts]
        config.hook.pytest_deselected(items=here)


@pytest.fixture(autouse=True)
def seeded(request):
    """Fresh inputs in each run; the seed is shown when a test fails."""
    seed = torch.seed() % 2**31
    torch.manual_seed(seed)
    print(f"torch.manual_seed({seed})")
