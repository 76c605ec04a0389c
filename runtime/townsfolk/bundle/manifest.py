"""What is in a bundle: versions, sizes and checksums, for support and for whoever checks a game."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townsfolk.installation import MANIFEST

FORMAT = 1
_CHUNK = 1 << 20
_GLIBC = re.compile(rb"GLIBC_2\.(\d+)\x00")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a bundle: its path from the bundle's folder, its size in bytes, its SHA-256."""

    path: str
    size: int
    sha256: str
    glibc: int
    """The newest version 2.N of the C library that it names; 0 where it names none."""


def look_at_files(bundle: Path) -> list[FileFacts]:
    """Return the facts of all files of a bundle but the manifest, by path."""
    files = [path for path in _files(bundle) if path != bundle / MANIFEST]
    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda file: _facts(bundle, file), files))


def write_manifest(bundle: Path, facts: Iterable[FileFacts], about: dict[str, Any]) -> None:
    """Write a bundle's manifest.

    Args:
        bundle: Its folder.
        facts: Of its files.
        about: What else it says.
    """
    facts = list(facts)
    newest = max((fact.glibc for fact in facts), default=0)
    needs = {"glibc": f"2.{newest}"} if newest else {}
    files = {fact.path: {"size": fact.size, "sha256": fact.sha256} for fact in facts}
    content = {"format": FORMAT, **about, "needs": needs, "files": files}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (bundle / MANIFEST).write_text(text, encoding="utf-8")


def differences(bundle: Path, manifest: dict[str, Any], *, deep: bool = True) -> list[str]:
    """Say in which files a bundle differs from its manifest.

    Args:
        bundle: Its folder.
        manifest: What its manifest says.
        deep: Read every file, instead of looking at sizes alone.
    """
    found: list[str] = []
    for path, told in manifest.get("files", {}).items():
        file = bundle / path
        if not file.is_file():
            found.append(f"{path} is missing")
        elif file.stat().st_size != told["size"]:
            found.append(f"{path} has {file.stat().st_size} bytes instead of {told['size']}")
        elif deep and _facts(bundle, file).sha256 != told["sha256"]:
            found.append(f"{path} has other contents")
    return found


def _files(bundle: Path) -> Iterator[Path]:
    yield from sorted(path for path in bundle.rglob("*") if path.is_file())


def _facts(bundle: Path, file: Path) -> FileFacts:
    digest = hashlib.sha256()
    newest, size, tail = 0, 0, b""
    with file.open("rb") as opened:
        is_elf = opened.read(4) == b"\x7fELF"
        opened.seek(0)
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if is_elf:
                newest = max([newest, *map(int, _GLIBC.findall(tail + chunk))])
                tail = chunk[-16:]
    return FileFacts(file.relative_to(bundle).as_posix(), size, digest.hexdigest(), newest)
