from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
import torch


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with the vocabulary of a real one."""
    return tiny_models.write_llama(tmp_path_factory.mktemp("model"), context=1024)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small shapes: threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
