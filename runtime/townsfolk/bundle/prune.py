"""Smaller libraries: without the symbols that only debuggers read."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Below this there is little to gain.
_LEAST_BYTES = 256 * 1024
_ELF = b"\x7fELF"
# Of an ELF file of 64 bits, little-endian: where its segments are described, and one description.
_SEGMENTS = struct.Struct("<32xQ12x2xHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOAD = 1
_PAGE = 4096


def strip_symbols(folder: Path) -> int | None:
    """Take the symbols out of all libraries below a folder that this system can take them out of.

    What the loader needs stays: a library's own names, and the tables by which exceptions unwind.

    Returns:
        How many bytes that saved; None where there is nothing to do it with.
    """
    program = shutil.which("strip")
    if program is None or not sys.platform.startswith("linux"):
        return None
    files = [file for file in sorted(folder.rglob("*.so*")) if _is_large_library(file)]
    with ThreadPoolExecutor() as threads:
        return sum(threads.map(lambda file: _strip(program, file), files))


def _is_large_library(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or file.stat().st_size < _LEAST_BYTES:
        return False
    with file.open("rb") as opened:
        return opened.read(len(_ELF)) == _ELF


def _strip(program: str, file: Path) -> int:
    before = file.stat().st_size
    smaller = file.with_name(f".{file.name}.stripped")
    done = subprocess.run([program, "-o", str(smaller), str(file)], capture_output=True)
    # `strip` can move what was added to a file after it was linked, as wheels' repairs do, to where
    # it can't be mapped. Such a file stays as it is.
    if done.returncode != 0 or not can_be_mapped(smaller):
        smaller.unlink(missing_ok=True)
        return 0
    shutil.copymode(file, smaller)
    smaller.replace(file)
    return before - file.stat().st_size


def can_be_mapped(file: Path) -> bool:
    """Return whether the loader can map an ELF file: segments lie in it as they do in memory."""
    data = file.read_bytes()
    if data[:6] != _ELF + b"\x02\x01":
        return False
    start, size, count = _SEGMENTS.unpack_from(data)
    for index in range(count):
        kind, _, offset, address, *_, align = _SEGMENT.unpack_from(data, start + index * size)
        if kind == _LOAD and (address - offset) % max(align, _PAGE):
            return False
    return True
