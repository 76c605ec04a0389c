"""A new HOME for what a test runs: empty but for what runtimes have compiled for this processor."""

from __future__ import annotations

import os
from pathlib import Path


def make_home(home: Path) -> Path:
    """Make the folder and return it.

    A runtime that finds nothing compiled takes twenty processor seconds more to start.
    """
    compiled = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numba"
    (home / ".cache").mkdir(parents=True)
    if os.name == "posix":
        compiled.mkdir(parents=True, exist_ok=True)
        (home / ".cache/numba").symlink_to(compiled)
    return home
