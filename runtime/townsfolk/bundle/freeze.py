"""The runtime as a program that needs no Python: PyInstaller, told what a player needs."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from townsfolk.bundle.errors import BundleError

PROGRAM = "townsfolk"
LIBRARIES = "lib"
"""Beside the program: all that it loads."""
_PACKAGES = ("townsfolk", "townsfolk_kernels")
_DATA = ("*.toml", "*.json")
_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Frozen:
    """A frozen program.

    Attributes:
        folder: where it lies, alone.
        modules: the names of the Python modules in it.
        sources: the files of this machine that its own files were copied from.
    """

    folder: Path
    modules: tuple[str, ...]
    sources: tuple[Path, ...]


def freeze(work: Path, *, cuda: bool, small: bool = False) -> Frozen:
    """Freeze the runtime of this environment; everything is written below `work`.

    Raises:
        BundleError: PyInstaller is missing, or it failed; the message says why.
    """
    if importlib.util.find_spec("PyInstaller") is None:
        raise BundleError("PyInstaller is missing: pip install 'townsfolk[bundle]'")
    command = [sys.executable, "-m", "PyInstaller", *_arguments(work, cuda=cuda, small=small)]
    environment = {**os.environ, "PYINSTALLER_CONFIG_DIR": str(work / "config")}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        lines = "\n".join(done.stdout.splitlines()[-_LINES_SHOWN:])
        raise BundleError(f"PyInstaller failed; its last lines:\n{lines}")
    build = work / "build" / PROGRAM
    modules = tuple(sorted({name for name, _, _ in _entries(build / "PYZ-00.toc")}))
    copied = {Path(source) for _, source, _ in _entries(build / "COLLECT-00.toc") if source}
    return Frozen(work / "dist" / PROGRAM, modules, tuple(sorted(copied)))


def _arguments(work: Path, *, cuda: bool, small: bool) -> Iterator[str]:
    here = resources.files("townsfolk.bundle")
    left_out = tomllib.loads((here / "contents.toml").read_text(encoding="utf-8"))
    excluded = [*left_out["rooms"], *left_out["modules"]]
    excluded += ([] if cuda else left_out["cuda"]) + (left_out["small"] if small else [])
    yield from ("--onedir", "--name", PROGRAM, "--contents-directory", LIBRARIES)
    yield from ("--noconfirm", "--log-level", "WARN", "--noupx")
    yield from ("--distpath", str(work / "dist"), "--workpath", str(work / "build"))
    yield from ("--specpath", str(work), "--additional-hooks-dir", str(here / "hooks"))
    # Names of files are UTF-8 also where the player's system, or a game's environment, says C.
    yield from ("--python-option", "X utf8")
    for name in excluded:
        yield from ("--exclude-module", name)
    for package in _PACKAGES:
        root = Path(str(resources.files(package)))
        yield from ("--paths", str(root.parent))
        for name in _modules(root, package):
            if not _is_within(name, excluded):
                yield from ("--hidden-import", name)
        for file in _data_files(root):
            target = Path(package) / file.relative_to(root).parent
            if not _is_within(".".join(target.parts), left_out["rooms"]):
                yield from ("--add-data", f"{file}{os.pathsep}{target}")
    yield str(resources.files("townsfolk") / "frozen.py")


def _modules(root: Path, package: str) -> Iterator[str]:
    """Yield the names of all modules of a package: commands are imported by name."""
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        name = ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))
        if parts[-1] != "__main__" and "hooks" not in parts:
            yield name


def _data_files(root: Path) -> Iterator[Path]:
    """Yield what modules read of their package; models are laid beside the program instead."""
    for pattern in _DATA:
        for file in sorted(root.rglob(pattern)):
            if not {root / "starter", root / "adapters"} & set(file.parents):
                yield file


def _is_within(name: str, modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _entries(table: Path) -> list[tuple[str, str, str]]:
    """Return (name, source, kind) of all that PyInstaller put into an archive or a folder."""
    contents = ast.literal_eval(table.read_text(encoding="utf-8"))
    [entries] = [
        part for part in contents if isinstance(part, list) and part and isinstance(part[0], tuple)
    ][:1]
    return [(entry[0], entry[1] or "", entry[2]) for entry in entries]


def platform_tag() -> str:
    """Return what the frozen program runs on, such as linux-x86_64."""
    return sysconfig.get_platform().replace(".", "_")
