"""A file that is being fetched: its checksum, and how a broken download goes on."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from townsfolk.library.errors import DownloadError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of a file must come to.

    Attributes:
        kind: "sha256", or "git": SHA-1 as git counts it, of small files of a repository.
        value: in hexadecimal digits.
    """

    kind: str
    value: str


def hold(path: Path, checksum: Checksum | None) -> None:
    """Hold a file that is here against its checksum, where there is one.

    Raises:
        DownloadError: it is damaged; it is deleted, so that it is fetched anew.
        OSError: it can't be read.
    """
    if checksum is None:
        return
    digest = _Digest(checksum.kind, path.stat().st_size)
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.value() == checksum.value:
        return
    path.resolve().unlink()
    path.unlink(missing_ok=True)
    raise DownloadError(
        f"{path} was damaged: its checksum is {digest.value()}, but {checksum.value} is expected. "
        "It was deleted; pull it again"
    )


def copy(source: Path, target: Path, checksum: Checksum | None) -> None:
    """Copy a file, or go on with a copy that was broken off, and hold it against a checksum.

    Raises:
        DownloadError: it is damaged.
        OSError: there is no room, or one of them can't be read or written.
    """
    nbytes = source.stat().st_size
    path = target.with_name(f"{target.name}.incomplete")
    with PartialFile(path, nbytes, checksum, lambda _: None) as partial, source.open("rb") as file:
        file.seek(partial.tell())
        while chunk := file.read(_CHUNK):
            partial.write(chunk)
        damage = partial.damage()
    if damage:
        path.unlink()
        raise DownloadError(f"{source} is damaged, or another file than the one known: {damage}")
    path.replace(target)


class _Digest:
    """A running checksum of a file of known size."""

    def __init__(self, kind: str, nbytes: int) -> None:
        if kind == "git":
            self._hash = hashlib.sha1(f"blob {nbytes}\0".encode(), usedforsecurity=False)
        else:
            self._hash = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    def value(self) -> str:
        return self._hash.hexdigest()


class PartialFile(io.RawIOBase):
    """The beginning of a file, which grows; it is kept when the download breaks off.

    Attributes:
        path: where it lies.
    """

    def __init__(
        self, path: Path, nbytes: int, checksum: Checksum | None, report: Callable[[int], None]
    ) -> None:
        """Open what is there of a file, or begin it.

        Args:
            path: where it lies.
            nbytes: how long it will be; one that is longer begins anew.
            checksum: what it must come to; None where nobody knows.
            report: called with the bytes that are there, while they come.

        Raises:
            OSError: it can't be opened.
        """
        self.path = path
        self._nbytes = nbytes
        self._checksum = checksum
        self._report = report
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def _begin(self) -> None:
        """Take in what was there before."""
        kind = self._checksum.kind if self._checksum else "sha256"
        self._digest = _Digest(kind, self._nbytes)
        left = os.fstat(self._file.fileno()).st_size
        if left > self._nbytes:
            left = self._file.truncate(0)
        self._file.seek(0)
        while chunk := self._file.read(min(left, _CHUNK)):
            self._digest.update(chunk)
            left -= len(chunk)
        self._report(self._file.tell())

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Add bytes at the end."""
        done = 0
        while done < len(data):  # a disk that fills takes a part first
            done += self._file.write(data[done:])
        self._digest.update(data)
        self._report(self._file.tell())
        return done

    def tell(self) -> int:
        """Return how many bytes are there."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the beginning, as one does before `truncate`."""
        return self._file.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """Drop what is there: the server sends the file from its beginning."""
        length = self._file.truncate(size)
        self._begin()
        return length

    def seekable(self) -> bool:
        """Return that it is."""
        return True

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def close(self) -> None:
        """Close the file; what is there stays."""
        self._file.close()
        super().close()

    def damage(self) -> str:
        """Return why the whole file is not what it should be, or nothing."""
        found = self._digest.value()
        if self.tell() != self._nbytes:
            return f"it has {self.tell():,} bytes instead of {self._nbytes:,}"
        if self._checksum is None or found == self._checksum.value:
            return ""
        return f"its checksum is {found}, but {self._checksum.value} is expected"
