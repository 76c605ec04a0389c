"""Where models lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from townsfolk.installation import bundle_folder

ADAPTERS = "adapters"
"""The folder of adapters that ship with Townsfolk, or lie in a bundle."""
FOLDER_VARIABLE = "TOWNSFOLK_MODELS"
_OWN = Path(__file__).parent.parent / ADAPTERS
_STARTER = Path(__file__).parent.parent / "starter" / "model"


def models_folder() -> Path:
    """Return the folder for model files that were not fetched from the hub.

    `TOWNSFOLK_MODELS` names another one.
    """
    if place := os.environ.get(FOLDER_VARIABLE):
        return Path(place).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "townsfolk" / "models"


def starter_folder() -> Path:
    """Return the folder of the model that ships with Townsfolk; it may be left out of a build."""
    return _STARTER


def adapter_folder(named: Path) -> Path:
    """Return the folder of an adapter.

    Args:
        named: A folder; or the name of an adapter that ships with Townsfolk, and in a bundle of one
            that it brings along, where there is no folder of that name.
    """
    if named.exists() or named.is_absolute() or len(named.parts) != 1:
        return named
    bundle = bundle_folder()
    ships = (_OWN if bundle is None else bundle / ADAPTERS) / named
    return ships if ships.is_dir() else named
