"""Whether the files of a model are still as they were when they were mapped."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class FileMarks:
    """Knows files by identity, size and time of change.

    A file that is mapped is read when its bytes are needed: one that is overwritten in place gives
    other bytes. One that is removed, or that another takes the name of, lives on.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        """Mark these files as they are."""
        self._marks = {path: path.stat() for path in paths}

    @classmethod
    def of_model(cls, path: Path) -> FileMarks:
        """Mark the weights of a model: a file and its like, or those in a directory."""
        if path.is_dir():
            return cls(path.glob("*.safetensors"))
        return cls(path.parent.glob(f"*{path.suffix}"))

    def changed(self) -> Path | None:
        """Return a file that was overwritten, if there is one."""
        for path, mark in self._marks.items():
            try:
                now = path.stat()
            except OSError:
                continue
            if os.path.samestat(now, mark) and (now.st_size, now.st_mtime_ns) != (
                mark.st_size,
                mark.st_mtime_ns,
            ):
                return path
        return None
