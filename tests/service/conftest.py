"""What the service's tests share; see tests/support/service_runtime.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tiny_models
from service_runtime import Runtime, serving
from townsfolk.service.settings import ServiceSettings


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that can speak for long."""
    return tiny_models.write_llama(tmp_path_factory.mktemp("model"), context=4096)


@pytest.fixture
async def runtime(model: Path) -> AsyncIterator[Runtime]:
    async with serving(model) as it:
        yield it


@pytest.fixture
async def starter() -> AsyncIterator[Runtime]:
    """A runtime with the model that ships, in the precision in which batches hardly matter."""
    async with serving("starter", dtype="float32", kv_memory_mib=192) as it:
        yield it


@pytest.fixture
async def web(model: Path) -> AsyncIterator[Runtime]:
    """A runtime with a gRPC-Web port, for pages of https://game.example."""
    settings = ServiceSettings(port=0, web_port=0, web_origins=("https://game.example",))
    async with serving(model, settings) as it:
        yield it
