"""The terminal sample in a headless terminal, against a real runtime."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from townsfolk.client import AsyncRuntime

SAMPLE = Path(__file__).parents[2] / "samples" / "python" / "tavern.py"


@pytest.fixture
def tavern() -> ModuleType:
    pytest.importorskip("textual", reason="pip install 'townsfolk[samples]'")
    spec = importlib.util.spec_from_file_location("tavern", SAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_samples_import_what_a_game_may() -> None:
    for sample in SAMPLE.parent.glob("*.py"):
        nodes = [*ast.walk(ast.parse(sample.read_text("utf-8")))]
        names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        names |= {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        ours = {name for name in names if name.split(".")[0].startswith("townsfolk")}
        assert ours <= {"townsfolk.client", "townsfolk.starter.cast"}, sample


def test_what_is_no_terminal_is_told_where_to_talk(tavern: ModuleType) -> None:
    assert tavern.__file__ is not None
    done = subprocess.run(
        [sys.executable, tavern.__file__],
        input="Hello!\n",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    assert "`townsfolk talk`" in done.stderr


async def test_five_answer_at_once_and_one_can_be_addressed(tavern: ModuleType) -> None:
    async with AsyncRuntime.launch("--threads", "1") as runtime:
        app = tavern.Tavern(runtime)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.click("#say")
            await pilot.press(*"Hello!", "enter")
            await app.workers.wait_for_complete()
            first = [speaker.said for speaker in app.speakers]
            assert len(first) == 5
            assert all(lines[0] == "> Hello!" and lines[1] for lines in first)
            await pilot.press(*"@Orla Where do you live?", "enter")
            await app.workers.wait_for_complete()
            spoke = [s for s, was in zip(app.speakers, first, strict=True) if s.said != was]
            assert spoke == [app.speakers[2]]
            assert "cached" in str(app.speakers[2].border_subtitle)
