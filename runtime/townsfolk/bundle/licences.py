"""The licence texts of everything in a bundle."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from townsfolk.bundle.errors import BundleError

FOLDER = "licences"
_TEXT = re.compile(r"(licen[cs]e|copying|notice|copyright)", re.IGNORECASE)
_APACHE = "apache"
# The program that PyInstaller starts a frozen program with is its own, not a module.
_ALWAYS = ("townsfolk", "pyinstaller")


@dataclass(frozen=True, slots=True)
class LicensedPart:
    """Somebody's work in a bundle.

    Attributes:
        name: of a Python package, or of a package of the operating system.
        version: as it names it; empty where nobody says.
        licence: its name, as the package gives it; empty where it gives none.
        texts: its files.
    """

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...]


def parts_of(modules: Iterable[str], sources: Iterable[Path]) -> list[LicensedPart]:
    """Return whose work modules and libraries are, by name.

    Args:
        modules: Names of the Python modules in the bundle.
        sources: The files of this machine that its other files were copied from.

    Raises:
        BundleError: Something has no licence text here.
    """
    sources = list(sources)
    packages = importlib.metadata.packages_distributions()
    names = {name for module in modules for name in packages.get(module.partition(".")[0], ())}
    names |= {name for source in sources for name in _owners(source, packages)} | set(_ALWAYS)
    found = [_distribution(importlib.metadata.distribution(name)) for name in sorted(names)]
    found += [_python(), *_system_parts(sources)]
    if missing := [part.name for part in found if not part.texts]:
        raise BundleError(
            f"no licence text was found for {', '.join(missing)}, which the bundle would hold: "
            "install it from where its licence comes along"
        )
    return found


def write_texts(parts: Iterable[LicensedPart], bundle: Path) -> None:
    """Lay the texts of all parts into a bundle, each part's in a folder of its own."""
    for part in parts:
        folder = bundle / FOLDER / "-".join(filter(None, (part.name, part.version)))
        folder.mkdir(parents=True, exist_ok=True)
        for index, text in enumerate(part.texts):
            name = text.name if not (folder / text.name).exists() else f"{index}-{text.name}"
            shutil.copyfile(text, folder / name)


def model_texts(model: Path, given: Iterable[Path]) -> tuple[Path, ...]:
    """Return a model's licence texts: those that are given, or those beside it.

    Raises:
        BundleError: There is none, or one that is given does not exist.
    """
    named = tuple(given)
    for text in named:
        if not text.is_file():
            raise BundleError(f"--model-licence {text} is no file")
    folder = model if model.is_dir() else model.parent
    beside = tuple(sorted(file for file in folder.iterdir() if _is_text(file)))
    if not named and not beside:
        raise BundleError(
            f"the model's licence is not in {folder}: a game that ships a model needs it. Put its "
            "text there as LICENSE, or name it with --model-licence"
        )
    return named or beside


def _is_text(file: Path) -> bool:
    return _TEXT.search(file.name) is not None and file.is_file()


def _owners(source: Path, packages: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the distributions that a file of an environment belongs to, by its topmost folder."""
    for root in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *sys.path}:
        if root and Path(root).name == "site-packages" and source.is_relative_to(root):
            top = source.relative_to(root).parts[0]
            yield from packages.get(top.partition(".")[0], ())  # numpy.libs is numpy's


def _distribution(distribution: importlib.metadata.Distribution) -> LicensedPart:
    metadata = distribution.metadata
    given = [metadata[name] for name in ("License-Expression", "License") if name in metadata]
    licence = next(iter(given), "")
    if not licence or "\n" in licence:  # some give the whole text there
        names = metadata.get_all("Classifier") or []
        licence = "; ".join(
            name.rpartition(" :: ")[2] for name in names if name.startswith("License ::")
        )
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    texts = [file for file in files if ".dist-info" in str(file) and _is_text(file)]
    if not texts and _APACHE in licence.lower():
        texts = [_apache_text()]
    return LicensedPart(metadata["Name"], distribution.version, licence, tuple(sorted(texts)))


def _apache_text() -> Path:
    """Return the text of the Apache licence, which is Townsfolk's too."""
    files = importlib.metadata.distribution("townsfolk").files or ()
    for file in files:
        if file.name == "LICENSE":
            return Path(str(file.locate()))
    raise BundleError("Townsfolk's own LICENSE is not in this installation: install it again")


def _python() -> LicensedPart:
    version = ".".join(map(str, sys.version_info[:3]))
    places = (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix))
    system = Path(f"/usr/share/doc/python{sys.version_info[0]}.{sys.version_info[1]}/copyright")
    texts = [text for place in places if (text := place / "LICENSE.txt").is_file()]
    if not texts and system.is_file():
        texts = [system]
    return LicensedPart("Python", version, "PSF-2.0", tuple(texts[:1]))


def _system_parts(sources: Iterable[Path]) -> Iterator[LicensedPart]:
    """Yield the packages of the operating system whose libraries came along; Debian's kind tell."""
    if shutil.which("dpkg") is None:
        return
    prefixes = (Path(sys.prefix), Path(sys.base_prefix), *map(Path, filter(None, sys.path)))
    names: set[str] = set()
    for source in sources:
        real = source.resolve()
        if any(real.is_relative_to(prefix.resolve()) for prefix in prefixes):
            continue
        for path in (source, real):
            found = subprocess.run(["dpkg", "-S", str(path)], capture_output=True, text=True)
            if found.returncode == 0:
                names.add(found.stdout.split(":")[0])
                break
    for name in sorted(names):
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}\n", name], capture_output=True, text=True
        )
        text = Path("/usr/share/doc") / name / "copyright"
        texts = (text,) if text.is_file() else ()
        yield LicensedPart(name, told.stdout.partition("\n")[0].replace(":", "_"), "", texts)
