"""Files that are whole at any time."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[str], object]) -> None:
    """Write beside the file and put it in its place at once: a crash leaves the old one whole.

    It gets the mode of any new file; safetensors makes files that only their owner can read.

    Args:
        path: the file; its folder exists.
        write: writes the file of the name it is given.
    """
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    beside.touch()
    mode = stat.S_IMODE(beside.stat().st_mode)
    write(str(beside))
    beside.chmod(mode)
    os.replace(beside, path)
