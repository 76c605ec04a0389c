"""Levels of processors for which a bundle has compiled code, which spares players' machines that.

On a developer's machine code is compiled for the very processor that runs it. A bundle is made on
one machine and runs on others: its code is compiled for levels that many processors reach, as the
x86-64 psABI names them.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import config

_config: Any = config

FOLDER = "compiled"
"""In a bundle's folder: compiled code, in a folder for each level."""
COMPILE_FOR = "TOWNSFOLK_COMPILE_FOR"
"""Environment variable: the level to compile a bundle's code for, and to keep it there."""


@dataclass(frozen=True, slots=True)
class Level:
    """What processors of a level have.

    Attributes:
        name: of its folder.
        processor: what LLVM calls the least of them.
        features: that code may use, by LLVM's names.
    """

    name: str
    processor: str
    features: tuple[str, ...]

    def is_met(self) -> bool:
        """Return whether this machine's processor has all that code of this level may use."""
        has = llvm.get_host_cpu_features()
        return all(has.get(feature, False) for feature in self.features)


_AVX2 = (
    *("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf", "xsave"),
    *("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
)
_AVX512 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")

LEVELS: tuple[Level, ...] = (
    (
        Level("x86-64-v4-vnni", "x86-64-v4", (*_AVX2, *_AVX512, "avx512vnni")),
        Level("x86-64-v3", "x86-64-v3", _AVX2),
    )
    if platform.machine().lower() in ("x86_64", "amd64")
    else ()
)
"""Best first. Processors that reach none, and those of other kinds, compile for themselves."""


def precompiled_folder(digest: str) -> Path | None:
    """Return the folder with compiled code that a bundle brought for this processor, if it did.

    From then on Numba looks for code of that level, and compiles for it.

    Args:
        digest: of the sources that the code must have been compiled from.
    """
    if not getattr(sys, "frozen", False):
        return None
    root = Path(sys.executable).resolve().parent / FOLDER
    wanted = os.environ.get(COMPILE_FOR)
    for level in LEVELS:
        folder = root / level.name
        if wanted is not None:
            found = level.name == wanted
        else:
            found = level.is_met() and _stamp(folder) == digest
        if found:
            _config.CPU_NAME = level.processor
            _config.CPU_FEATURES = ",".join(f"+{feature}" for feature in level.features)
            return folder
    return None


def has_feature(feature: str) -> bool:
    """Return whether code may use a feature of processors, by LLVM's name."""
    if _config.CPU_FEATURES is not None:  # of a level, or of Numba's own environment variable
        return f"+{feature}" in _config.CPU_FEATURES.split(",")
    return bool(llvm.get_host_cpu_features().get(feature, False))


def stamp(folder: Path, digest: str) -> None:
    """Write beside compiled code what it was compiled from."""
    (folder / "sources").write_text(digest, encoding="ascii")


def _stamp(folder: Path) -> str:
    try:
        return (folder / "sources").read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
