"""Fixtures: a real Godot, headless, with the add-on in a project of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from godot_engine import Godot, Oracle, find_godot, make_project, problems

# An export needs Godot's template for Linux, which is no part of the engine: without one this test
# is no part of the suite. `.ci/godot-template` gets one.
collect_ignore = [] if "TOWNSFOLK_GODOT_TEMPLATE" in os.environ else ["test_export.py"]


@pytest.fixture(scope="session")
def godot_executable() -> str:
    executable = find_godot()
    if executable is None:
        pytest.skip("needs Godot 4.6 as `godot` on PATH or its path in TOWNSFOLK_GODOT")
    return executable


@pytest.fixture(scope="session")
def godot(godot_executable: str, tmp_path_factory: pytest.TempPathFactory) -> Godot:
    """The engine on a copy of the test project."""
    return make_project(godot_executable, tmp_path_factory.mktemp("godot"))


@pytest.fixture(scope="session")
def oracle(godot: Godot) -> Iterator[Oracle]:
    """One Godot that answers the questions of all tests."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(300)
        port = listener.getsockname()[1]
        with godot.start("-s", "res://drivers/oracle.gd", "--", str(port)) as process:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                process.kill()
                pytest.fail(f"the oracle did not start:\n{process.communicate()[0]}")
            connection.settimeout(300)
            with connection:
                yield Oracle(connection)
            output, _ = process.communicate(timeout=300)
            assert problems(output) == ""


@pytest.fixture
def exporting(godot):
    """Exports need the settings as a game has them: the add-on launches the runtime."""
    settings = godot.project / "project.godot"
    before = settings.read_text()
    settings.write_text(before.replace("runtime/mode=2", "runtime/mode=0"))
    yield godot
    settings.write_text(before)
