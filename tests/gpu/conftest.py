"""Tests that need a CUDA device; tests/conftest.py leaves them out where there is none."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    for item in items:
        if "gpu" in item.path.parts:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def seeded(request):
    """Fresh inputs in each run; the seed is shown when a test fails."""
    seed = torch.seed() % 2**31
    torch.manual_seed(seed)
    print(f"torch.manual_seed({seed})")
