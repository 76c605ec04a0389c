"""The model of a bundle: its files, and what it is called."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from townsfolk.bundle.errors import BundleError
from townsfolk.library import ModelNotFoundError, resolve
from townsfolk.library.places import starter_folder

FOLDER = "model"
# What a model is read from. Anything else beside it stays where it is: other formats, logs, images.
_KINDS = (".safetensors", ".json", ".jinja", ".gguf")
_PART = re.compile(r"-[0-9]{5}-of-(?P<count>[0-9]{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model to be bundled.

    Attributes:
        name: what it is called.
        source: its directory, or its GGUF file or that file's first part.
        files: all files of it, and where each goes below the bundle's folder for it.
        path: what the runtime loads, from the bundle's folder.
    """

    name: str
    source: Path
    files: dict[Path, Path]
    path: str

    @classmethod
    def find(cls, model: str) -> ModelFiles:
        """Find a model as `townsfolk serve --model` does.

        Raises:
            BundleError: There is none of this name.
        """
        try:
            source = resolve(model)
        except ModelNotFoundError as error:
            raise BundleError(f"--model: {error}") from error
        name = Path(model).name if Path(model).exists() else model
        if source.is_file():
            files = {file: Path(file.name) for file in _parts(source)}
            return cls(name, source, files, f"{FOLDER}/{source.name}")
        files = {
            file: file.relative_to(source)
            for file in sorted(source.rglob("*"))
            if file.is_file() and file.suffix in _KINDS and not _is_hidden(file, source)
        }
        return cls(name, source, files, FOLDER)

    @property
    def is_starter(self) -> bool:
        """Whether it is Townsfolk's own."""
        return self.source == starter_folder()

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.stat().st_size for file in self.files)

    def copy(self, bundle: Path) -> None:
        """Lay the files into a bundle."""
        for file, place in self.files.items():
            target = bundle / FOLDER / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _parts(file: Path) -> list[Path]:
    """Return all parts of a GGUF file."""
    found = _PART.search(file.name)
    if found is None:
        return [file]
    stem, count = file.name[: found.start()], found["count"]
    parts = [file.with_name(f"{stem}-{i:05}-of-{count}.gguf") for i in range(1, int(count) + 1)]
    if missing := [part.name for part in parts if not part.is_file()]:
        raise BundleError(f"--model: parts of it are missing: {', '.join(missing)}")
    return parts


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
