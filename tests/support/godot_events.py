"""What drivers of the test project in Godot are told, and the events that they print."""

from __future__ import annotations

import socket
from typing import Any

from godot_engine import Godot
from runtime_process import LaunchedRuntime

HEARD, SPOKE, EVENT = 1, 2, 3
GRPC_WEB = "2"  # of the project setting townsfolk/connection/transport
FLAGS = ("--device", "cpu", "--threads", "1", "--kv-memory-mib", "64", "--max-batch", "32")
"""Of a runtime with a tiny model."""


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def drive(
    godot: Godot, runtime: LaunchedRuntime, scenario: str, driver: str = "npc", **options: bool
) -> list[dict[str, Any]]:
    """Run a driver's scenario with a runtime; return its events."""
    address = f"{runtime.address}:{runtime.port}"
    return godot.drive(driver, scenario, address, runtime.token, **options)


def named(events: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Return the events of some names."""
    return [event for event in events if event["event"] in names]


def only(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the one event of a name."""
    [event] = named(events, name)
    return event


def kinds(
    events: list[dict[str, Any]], *, without: tuple[str, ...] = ("text", "sentence")
) -> list[str]:
    """Return the names of the events in order."""
    return [event["event"] for event in events if event["event"] not in without]
