"""A real runtime for tests: `townsfolk serve` as a child process with the starter model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from townsfolk.client import RuntimeProcess


@dataclass(frozen=True, slots=True)
class LaunchedRuntime:
    """A runtime that serves."""

    address: str
    port: int
    token: str
    process: RuntimeProcess


@contextmanager
def launch_runtime(*flags: str) -> Iterator[LaunchedRuntime]:
    """Start `townsfolk serve` with more flags; yield it once it serves, end it afterwards."""
    with RuntimeProcess(flags) as process:
        endpoint = process.start()
        address, port = endpoint.address.rsplit(":", 1)
        yield LaunchedRuntime(address, int(port), endpoint.token, process)
