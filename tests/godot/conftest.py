"""Fixtures: a real Godot, headless, with the add-on in a project of its own."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_models import write_model
from godot_engine import Godot, Oracle, find_godot, make_project, problems
from godot_events import FLAGS, GRPC_WEB, free_port
from runtime_process import LaunchedRuntime, launch_runtime

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


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model: it says nonsense, but as fast as the transport must stand."""
    return write_model(tmp_path_factory.mktemp("model"), "llama3")


@pytest.fixture(scope="module")
def both(model: Path) -> Iterator[dict[str, LaunchedRuntime]]:
    """One runtime, as each transport reaches it."""
    web_port = free_port()
    flags = ("--model", str(model), "--web-port", str(web_port), *FLAGS)
    with launch_runtime(*flags) as launched:
        yield {"http2": launched, "grpc_web": replace(launched, port=web_port)}


@pytest.fixture(params=["http2", "grpc_web"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the test run over both transports."""
    if request.param == "grpc_web":
        monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    return request.param


@pytest.fixture
def runtime(both: dict[str, LaunchedRuntime], transport: str) -> LaunchedRuntime:
    return both[transport]


@pytest.fixture
def executable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have games start the runtime of this environment, with one thread."""
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(Path(sys.executable).with_name("townsfolk")))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
