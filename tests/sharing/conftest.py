"""What the tests of sharing have in common; see tests/support/sharing_games.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sharing_games import Games, is_gone, wait_until


@pytest.fixture
def games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Games]:
    """Games of a user who has no shared runtime yet; in the end none is left."""
    shared, folder = tmp_path / "shared", tmp_path / "games"
    folder.mkdir()
    monkeypatch.setenv("TOWNSFOLK_SHARED", str(shared))
    them = Games(shared, folder)
    yield them
    for host in them.hosts():
        wait_until(lambda host=host: is_gone(host), "the shared runtime is gone")
