"""What holds for all tests."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests share the cores already. Models that they start, also in other processes, do not.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from default_install import DefaultInstall, make_default_install
from game_bundle import make_once

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("townsfolk", deadline=None)
settings.load_profile("townsfolk")

# Where there is no CUDA, Triton's interpreter runs the kernels, which must be said before anything
# imports Triton.
collect_ignore = []
interpreted = ["kernels/test_triton.py", "models/test_fused_decode.py"]
need_triton = [*interpreted, "gpu", "engine/test_graph_cache.py", "kernels/test_ahead_of_time.py"]
if torch.cuda.is_available():
    collect_ignore += interpreted
else:
    os.environ["TRITON_INTERPRET"] = "1"
if find_spec("triton") is None:  # there is none for macOS
    collect_ignore += need_triton


# Processes take one file after the other. Those that take a minute or more come first, lest the
# last of them keep one process busy while the others have nothing left to do.
LONG = (
    "unity/test_dotnet.py",
    "bundle/test_bundle.py",
    "kernels/test_ahead_of_time.py",
    "real/test_gemma3.py",
    "godot/test_npc.py",
    "godot/test_npc_connection.py",
    "godot/test_export.py",
    "real/test_smollm2.py",
    "bench/test_measurements.py",
    "kernels/test_triton.py",
    "service/test_process.py",
    "commands/test_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each test the same random numbers, whichever tests its process ran before."""
    torch.manual_seed(crc32(item.nodeid.encode()))


@pytest.fixture(scope="session")
def default_install(tmp_path_factory: pytest.TempPathFactory) -> DefaultInstall:
    """The environment that `make talk` makes: for tests of what a user has without any extra."""
    if os.name == "nt":
        pytest.skip("links need a privilege on Windows: run this on Linux or macOS")
    return make_default_install(tmp_path_factory.mktemp("default-install") / ".venv")


@pytest.fixture(scope="session")
def game_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the starter model: made once for all processes of a run. Only to be read."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return make_once(shared / "bundle")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: everything that tests need is installed there.

    Except for what no installation brings, which such a test says: "this processor ...".
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None:
        skipped = [
            report
            for report in reporter.stats.get("skipped", [])
            if "this processor" not in str(report.longrepr)
        ]
        if skipped and exitstatus == pytest.ExitCode.OK:
            reporter.write_line(f"\n{len(skipped)} tests were skipped; in CI nothing may skip")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
