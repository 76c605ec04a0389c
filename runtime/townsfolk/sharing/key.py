"""What games must have in common to share a runtime: the model, the settings, the versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townsfolk import __version__, contract
from townsfolk.config import EngineSettings
from townsfolk.installation import BUNDLED, bundle_folder, read_manifest
from townsfolk.library import ModelNotFoundError, find
from townsfolk.library.places import adapter_folder


def key_of_settings(settings: EngineSettings) -> str:
    """Return the key of an engine with these settings."""
    told = settings.model_dump(mode="json", exclude={"model", "adapter"})
    model = {"model": _model(settings.model)}
    adapter = {}
    if settings.adapter is not None:
        adapter = {"adapter": _files(adapter_folder(settings.adapter))}
    return _key(told | model | adapter)


def key_of_script(script: Path) -> str:
    """Return the key of a runtime that plays a script."""
    text = script.read_bytes()
    return _key({"script": hashlib.sha256(text).hexdigest(), "name": script.stem})


def _key(told: Mapping[str, Any]) -> str:
    versions = {"townsfolk": __version__, "contract": str(contract.OWN)}
    text = json.dumps({**told, **versions}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _model(name: str) -> object:
    """Return what tells a model from others, without reading its weights.

    A bundle's is known by the checksums in its manifest, so that two games which brought along the
    same one share it; others by where their files lie, and by size and time of these.
    """
    if name == BUNDLED and (folder := bundle_folder()) is not None:
        manifest = read_manifest(folder)
        inside = str(manifest.get("model", {}).get("path", ""))
        sums = {
            path.removeprefix(inside): told.get("sha256")
            for path, told in manifest.get("files", {}).items()
            if path == inside or path.startswith(f"{inside}/")
        }
        if sums and all(sums.values()):
            return sums
    try:
        path = find(name)
    except ModelNotFoundError:
        path = None  # the engine will say what is wrong with it
    return name if path is None else _files(path)


def _files(path: Path) -> object:
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    told = [(str(file.resolve()), file.stat()) for file in files]
    return [(name, found.st_size, found.st_mtime_ns) for name, found in told]
