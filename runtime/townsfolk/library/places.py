"""Where models lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "TOWNSFOLK_MODELS"
_ADAPTERS = Path(__file__).parent.parent / "adapters"
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
    """Return the folder of an adapter: one that ships with Townsfolk may be given by its name."""
    ships = _ADAPTERS / named
    is_name = len(named.parts) == 1 and not named.is_absolute()
    return ships if is_name and not named.exists() and ships.is_dir() else named
