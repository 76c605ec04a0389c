"""How whoever launched a runtime learns where it listens, and with which token.

That is a file, or a line on standard output: a pipe needs no folder that can be written to.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from townsfolk.service.start_error import StartError

ANSWERS_S = 1.0
# The name of no file: the line goes to standard output.
STANDARD_OUTPUT = Path("-")


class ReadyFile:
    """A JSON file that is there while the runtime serves, for this user's eyes only."""

    def __init__(self, path: Path | None) -> None:
        """Prepare to write it; None for no file, `-` for a line on standard output."""
        self._to_standard_output = path == STANDARD_OUTPUT
        self._path = None if self._to_standard_output else path

    def check(self) -> None:
        """Look whether the file can be written, so that a start fails before the model loads.

        Raises:
            StartError: It can't, or it belongs to a runtime that serves.
        """
        path = self._path
        if path is None:
            return
        if path.is_dir():
            raise StartError(f"ready_file {path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise StartError(f"ready_file {path} can't be written: there is no such folder")
        other = self._written()
        if other.get("pid") != os.getpid() and _answers(other):
            raise StartError(
                f"ready_file {path} belongs to a runtime that serves (process {other.get('pid')}); "
                "choose another file, or end that one"
            )

    @contextmanager
    def there(self, ready: Mapping[str, object]) -> Iterator[None]:
        """Keep the file while the runtime serves. Its reader never sees half of it.

        Raises:
            StartError: It can't be written.
        """
        if self._to_standard_output:
            _print_line(json.dumps(ready))
        if self._path is None:
            yield
            return
        self.check()
        try:
            self._write(self._path, json.dumps(ready))
        except OSError as error:
            raise StartError(f"ready_file {self._path} can't be written: {error}") from error
        try:
            yield
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove the file, unless it is another runtime's by now."""
        if self._path is not None and self._written().get("pid") == os.getpid():
            self._path.unlink(missing_ok=True)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        try:
            # The token in it is for this user only.
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as it:
                it.write(text)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _written(self) -> dict[str, object]:
        """Return what stands in the file; nothing where there is none, or another kind of file."""
        assert self._path is not None
        with suppress(OSError, ValueError):
            written = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(written, dict):
                return written
        return {}


def _print_line(line: str) -> None:
    """Write a line to standard output, past whatever else in this process writes there.

    Raises:
        StartError: Nobody reads it.
    """
    rest = f"{line}\n".encode()
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except OSError as error:
        raise StartError(f"ready_file -: standard output can't be written to: {error}") from error


def _answers(ready: Mapping[str, object]) -> bool:
    """Return whether a runtime listens where a ready file says so."""
    try:
        address = str(ready["address"]).strip("[]"), int(str(ready["port"]))
        with socket.create_connection(address, timeout=ANSWERS_S):
            return True
    except (KeyError, ValueError, OSError, OverflowError):
        return False
