"""Which models are on this machine, besides those that the catalogue knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from townsfolk.library import hub
from townsfolk.library.catalogue import catalogue
from townsfolk.library.files import first_parts, is_whole, parts_of
from townsfolk.library.places import models_folder, starter_folder


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is here.

    Attributes:
        name: what `--model` takes.
        path: its file, or the first of them, or its directory.
        nbytes: of its weights.
    """

    name: str
    path: Path
    nbytes: int


def found_here() -> list[Found]:
    """List the starter model, the folder for models, and the hub's cache."""
    found = [_directory("starter", starter_folder())] if starter_folder().is_dir() else []
    known = {model.file for model in catalogue().values()}
    folder = models_folder()
    found += [each for each in _models_of(folder, "") if each.path.name not in known]
    if folder.is_dir():
        for path in sorted(path for path in folder.iterdir() if path.is_dir()):
            found += [_directory(path.name, path)] if is_whole(path) else []
    for repository in hub.repositories():
        snapshot = hub.snapshot(repository)
        if snapshot is None:
            continue
        if is_whole(snapshot):
            found.append(_directory(repository, snapshot))
        else:
            models = _models_of(snapshot, f"{repository}:")
            found += [each for each in models if each.path.name not in known]
    return found


def _models_of(folder: Path, prefix: str) -> Iterator[Found]:
    """Yield the GGUF files of a folder that are whole."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.gguf")]
    for name in first_parts(name for name in names if "mmproj" not in name.lower()):
        parts = [folder / part for part in parts_of(name)]
        if all(part.is_file() for part in parts):
            size = sum(part.stat().st_size for part in parts)
            yield Found(f"{prefix}{name}", folder / name, size)


def _directory(name: str, path: Path) -> Found:
    return Found(name, path, sum(file.stat().st_size for file in path.glob("*.safetensors")))
