"""Kernels that were built beforehand: machine code that needs no compiler.

A library is a folder with a file for each compute capability, `sm_86.zip`: kernels in machine code
and `index.json`, which says how each is launched. A kernel is found by its name and Triton's key of
the launch: dtypes, alignments, constants and options.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from townsfolk_kernels.gpu.card import Capability, card_of

logger = logging.getLogger(__name__)

VARIABLE = "TOWNSFOLK_KERNELS"
"""The environment variable with the folder of a library; else it is looked for in the package."""

_INDEX = "index.json"
_FORMAT = 1
_IN_PACKAGE = Path(__file__).parent / "built"


@dataclass(frozen=True, slots=True)
class Entry:
    """How a built kernel is launched, and what it takes.

    Attributes:
        kernel: its name.
        function: the name of its function in the machine code.
        signature: types of its parameters, "constexpr" for those that are compiled in.
        warps: of a block.
        shared: bytes of shared memory of a block.
        dependent: whether it is launched by programmatic dependent launch.
        scratch: bytes of global memory that each block needs, and their alignment.
        registers: of a thread.
        spills: bytes that a thread keeps in memory for want of registers.
    """

    kernel: str
    function: str
    signature: list[str]
    warps: int
    shared: int
    dependent: bool
    scratch: tuple[int, int]
    registers: int
    spills: int


class BuiltKernel:
    """A kernel on a device; Triton launches it as one that it has compiled itself."""

    def __init__(self, entry: Entry, cubin: bytes, device: int) -> None:
        """Load it.

        Raises:
            RuntimeError: the device does not take it.
        """
        from townsfolk_kernels.gpu.cuda import CudaLauncher, CudaUtils

        source = SimpleNamespace(signature=dict(enumerate(entry.signature)))
        size, align = entry.scratch
        self.run = CudaLauncher(
            source,
            SimpleNamespace(
                launch_pdl=entry.dependent, launch_cooperative_grid=False, num_ctas=1,
                num_warps=entry.warps, shared=entry.shared, global_scratch_size=size,
                global_scratch_align=align,
            ),
        )  # fmt: skip
        loaded = CudaUtils().load_binary(entry.function, cubin, entry.shared, device)
        self.function = loaded[1]
        self.packed_metadata = (entry.warps, 1, entry.shared)

    def launch_metadata(self, *_: Any) -> None:
        """Tell Triton's profiler nothing."""


class Library:
    """The built kernels of one capability.

    Attributes:
        path: its file.
        entries: by `place_of`.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ValueError: it is broken, or its kernels are not those of this version.
            OSError: it can't be read.
        """
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
            index = json.loads(self._file.read(_INDEX))
            if index["format"] != _FORMAT or index["sources"] != sources():
                raise ValueError("it was built from other sources than these")
            self.entries = {
                place: Entry(**{**fields, "scratch": tuple(fields["scratch"])})
                for place, fields in index["kernels"].items()
            }
        except (KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"it is broken: {error}") from error
        self._lock = threading.Lock()

    def load(self, place: str, device: int) -> BuiltKernel | None:
        """Bring a kernel onto a device; None where there is none."""
        entry = self.entries.get(place)
        if entry is None:
            return None
        with self._lock:
            cubin = self._file.read(place)
        return BuiltKernel(entry, cubin, device)


def place_of(kernel: str, key: str) -> str:
    """Return the name in a library of a kernel as a launch wants it."""
    return hashlib.sha256(f"{kernel} {key}".encode()).hexdigest()[:40]


@cache
def sources() -> str:
    """Return a digest of all that kernels are made of."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def file_name(capability: Capability) -> str:
    """Return the name of the file with the kernels of a capability."""
    return f"sm_{capability[0]}{capability[1]}.zip"


def folder() -> Path:
    """Return where built kernels are looked for: by `VARIABLE`, in a bundle, or in the package."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    if getattr(sys, "frozen", False):
        return Path(sys.executable).parent / "kernels"
    return _IN_PACKAGE


def fitting(capability: Capability, place: Path) -> Path | None:
    """Return a folder's file for a capability: its own, or an older one of the same generation."""
    major, minor = capability
    paths = (place / file_name((major, older)) for older in range(minor, -1, -1))
    return next((path for path in paths if path.is_file()), None)


@cache
def opened(capability: Capability) -> Library | None:
    """Return the library that this process takes kernels from; it logs what it finds, once."""
    version = f"{capability[0]}.{capability[1]}"
    path = fitting(capability, folder())
    if path is None:
        logger.info("no built kernels for compute capability %s: they are compiled here", version)
        return None
    try:
        library = Library(path)
    except (OSError, ValueError) as error:
        logger.warning("built kernels in %s are left out, others compiled here: %s", path, error)
        return None
    logger.info("%d built kernels come from %s", len(library.entries), path)
    return library


def find(kernel: str, key: str, device: int) -> BuiltKernel | None:
    """Return the built kernel for a launch; None, and a log line, where there is none."""
    library = opened(card_of(torch.device("cuda", device)).capability)
    if library is None:
        return None
    try:
        built = library.load(place_of(kernel, key), device)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        logger.warning("the built %s can't be used, it is compiled here: %s", kernel, error)
        return None
    if built is None:
        logger.info("%s is compiled here: %s has none as is needed", kernel, library.path.name)
    return built


def write(path: Path, capability: Capability, kernels: Iterator[tuple[str, Entry, bytes]]) -> None:
    """Write the file of a library, all or nothing.

    Args:
        path: of the file.
        capability: of its kernels.
        kernels: `place_of`, how it is launched, and the machine code of each.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    index = {"format": _FORMAT, "capability": capability, "sources": sources()}
    entries = {}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            for place, entry, cubin in kernels:
                file.writestr(place, cubin)
                entries[place] = asdict(entry)
            file.writestr(_INDEX, json.dumps({**index, "kernels": entries}, indent=0))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
