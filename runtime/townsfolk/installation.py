"""Where this program lies: in a Python environment, or frozen into a game's bundle."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
"""In a bundle's folder: what is in it."""
RENDER_TEMPLATE = "render-template"
"""A bundle's program with this word alone is the process that runs a chat template."""
PROVE_IMPORTS = "prove-imports"
"""With this word it imports all that it is made of, and ends."""
COMPILE = "compile"
"""With this word and a level of processors it compiles its code for these, and keeps it."""
BUNDLED = "bundled"
"""The name of the model that a bundle brings along."""


def is_frozen() -> bool:
    """Return whether this program is a bundle's, with no Python and no package around it."""
    return bool(getattr(sys, "frozen", False))


def bundle_folder() -> Path | None:
    """Return the folder of the bundle that this program belongs to; None outside one."""
    return Path(sys.executable).resolve().parent if is_frozen() else None


def own_command() -> tuple[str, ...]:
    """Return the command line that starts this program again, without its arguments."""
    return (sys.executable,) if is_frozen() else (sys.executable, "-m", "townsfolk")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a bundle's manifest says; nothing where there is none, or a broken one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def bundled_model() -> Path | None:
    """Return where the model of this program's bundle lies; None where there is none."""
    folder = bundle_folder()
    if folder is None:
        return None
    model = read_manifest(folder).get("model")
    return folder / str(model["path"]) if isinstance(model, dict) and "path" in model else None


def model_name(model: str) -> str:
    """Return what a model is called: a bundle's own by the name that it had before."""
    folder = bundle_folder()
    if model != BUNDLED or folder is None:
        return model
    told = read_manifest(folder).get("model")
    return str(told["name"]) if isinstance(told, dict) and "name" in told else model


DEFAULT_MODEL = BUNDLED if is_frozen() else "starter"
"""The model where none is named."""
