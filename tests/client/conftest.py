"""A runtime for the client's tests: one process for the whole module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from runtime_process import LaunchedRuntime, launch_runtime


@pytest.fixture(scope="module")
def runtime() -> Iterator[LaunchedRuntime]:
    with launch_runtime("--threads", "1") as launched:
        yield launched
