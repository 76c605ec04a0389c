"""Where games of this user find a shared runtime: a folder that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from townsfolk.service.start_error import StartError

FOLDER_VARIABLE = "TOWNSFOLK_SHARED"
_LOCK_S = 0.1
_LOG_TAIL = 4000  # characters


def shared_folder() -> Path:
    """Return this user's folder for shared runtimes; it is there, and nobody else's.

    `TOWNSFOLK_SHARED` names another one.

    Raises:
        StartError: There can be none, or others can write to it.
    """
    folder = _usual_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = folder.lstat()
    except OSError as error:
        raise StartError(f"share: {folder} can't be made: {error.strerror or error}") from error
    if not stat.S_ISDIR(there.st_mode):
        raise StartError(f"share: {folder} is no folder; remove it, or set {FOLDER_VARIABLE}")
    if os.name == "posix" and (there.st_uid != os.getuid() or there.st_mode & 0o077):
        raise StartError(
            f"share: {folder} could be another user's doing: it must be yours, with mode 0700. "
            f"Remove it, or name another folder in {FOLDER_VARIABLE}"
        )
    return folder


def _usual_folder() -> Path:
    if place := os.environ.get(FOLDER_VARIABLE):
        return Path(place).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return base / "townsfolk" / "shared"
    if sys.platform != "darwin" and (place := os.environ.get("XDG_RUNTIME_DIR")):
        base = Path(place)
        if base.is_dir() and os.access(base, os.W_OK):
            return base / "townsfolk"
    # On macOS this folder is the user's own; elsewhere everybody's, and the name says whose it is.
    return Path(tempfile.gettempdir()) / f"townsfolk-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a shared runtime takes leases.

    Attributes:
        port: On this machine's loopback address.
        token: What a lease must show.
        pid: The process.
    """

    port: int
    token: str
    pid: int


class HostFiles:
    """The files of the shared runtime of one kind."""

    def __init__(self, folder: Path, key: str) -> None:
        """Name them; nothing is written yet.

        Args:
            folder: From `shared_folder`.
            key: What all who share it have in common; see `key_of`.
        """
        self.folder = folder
        self.key = key
        self.log = folder / f"{key}.log"
        """What the host's process prints that is no log: how it crashed, perhaps."""
        self._file = folder / f"{key}.json"

    def host(self) -> HostAddress | None:
        """Return the host that said last that it is there; it may be gone."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(self._file.read_text(encoding="utf-8"))
            return HostAddress(int(told["port"]), str(told["token"]), int(told["pid"]))
        return None

    def announce(self, host: HostAddress) -> None:
        """Say that a host is there. A reader never sees half of it.

        Raises:
            OSError: It can't be written.
        """
        draft = self._file.with_name(f".{self._file.name}.{host.pid}")
        draft.unlink(missing_ok=True)
        # The token in it is for this user only.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(host), file)
        draft.replace(self._file)

    def withdraw(self, host: HostAddress) -> None:
        """Say no more that a host is there, unless another one is by now."""
        if self.host() == host:
            self._file.unlink(missing_ok=True)

    def log_tail(self) -> str:
        """Return the end of what the host's process printed."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return text[-_LOG_TAIL:].strip()

    @contextmanager
    def finding(self, stop: threading.Event) -> Iterator[bool]:
        """Be the only one who looks for the host or starts it; false if told to stop before."""
        with self._held("finding", stop) as is_held:
            yield is_held

    @contextmanager
    def hosting(self, stop: threading.Event) -> Iterator[bool]:
        """Be the only host, after the one before is gone; false if told to stop before."""
        with self._held("hosting", stop) as is_held:
            yield is_held

    @contextmanager
    def _held(self, what: str, stop: threading.Event) -> Iterator[bool]:
        # The system lets go of such a lock when its process dies, however it does.
        lock = FileLock(self.folder / f"{self.key}.{what}", thread_local=False, mode=0o600)
        while not stop.is_set():
            with suppress(Timeout):
                lock.acquire(timeout=_LOCK_S, poll_interval=_LOCK_S / 4)
                break
        try:
            yield lock.is_locked
        finally:
            lock.release()
