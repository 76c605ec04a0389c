"""A file of snapshots, to be sent with a bug report: JSON lines."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from types import TracebackType
from typing import Any

from townsfolk import __version__
from townsfolk.inspector.redaction import Redaction
from townsfolk.inspector.snapshot import Snapshot


class Recording:
    """Writes what is seen, each time as far as it has changed. Only this user can read the file."""

    def __init__(self, path: Path, redaction: Redaction) -> None:
        """Begin a new file.

        Raises:
            OSError: It can't be written.
        """
        self._redaction = redaction
        self._before: dict[str, Any] = {}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        self._write({"townsfolk": __version__, "system": platform.platform()})

    def add(self, snapshot: Snapshot) -> None:
        """Write what has changed since the last snapshot: of sessions each that is not as it was.

        Raises:
            OSError: The disk is full, or the like.
        """
        now = snapshot.as_json()
        line = {"time": now["time"], "stats": now["stats"]}
        line |= {key: now[key] for key in ("info", "errors") if now[key] != self._before.get(key)}
        before = self._before.get("sessions", [])
        changed = [session for session in now["sessions"] if session not in before]
        line |= {"sessions": changed} if changed else {}
        self._before = now
        self._write(line)

    def fail(self, moment: float, message: str) -> None:
        """Write that nothing could be seen."""
        self._write({"time": moment, "unreachable": message})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(self._redaction.apply(line), ensure_ascii=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
