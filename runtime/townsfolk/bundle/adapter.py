"""The adapters of a bundle, each in a folder of its name."""

from __future__ import annotations

import shutil
from pathlib import Path

from townsfolk.bundle.errors import BundleError
from townsfolk.checkpoint import AdapterError, read_adapter
from townsfolk.library.places import ADAPTERS, adapter_folder

# What an adapter is read from, and what is said about it: no checkpoint of its training.
_KINDS = (
    *("adapter_config.json", "adapter_model.safetensors", "generation_config.json"),
    *("README*", "LICEN[CS]E*"),
)


def find_adapter(named: Path) -> Path:
    """Return an adapter's folder, as `townsfolk serve --adapter` finds it.

    Raises:
        BundleError: There is none, or it can't be read.
    """
    folder = adapter_folder(named)
    try:
        read_adapter(folder)
    except (AdapterError, OSError) as error:
        raise BundleError(f"--adapter: {error}") from error
    return folder


def copy_adapter(folder: Path, bundle: Path) -> None:
    """Lay an adapter into a bundle, where its program finds it by its name."""
    target = bundle / ADAPTERS / folder.resolve().name
    target.mkdir(parents=True)
    for file in (found for kind in _KINDS for found in folder.glob(kind)):
        shutil.copyfile(file, target / file.name)
