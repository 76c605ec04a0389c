"""What a run was begun with, so that nothing else is taken for it when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townsfolk.checkpoint.replacing import replace_file

_FILE = "run.json"


class AnotherRunError(ValueError):
    """A folder holds another run than the one that is asked for."""


def begin(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note what a new run is begun with.

    Raises:
        AnotherRunError: There is a run already.
    """
    if (folder / "progress.json").exists():
        raise AnotherRunError(
            f"{folder.parent} holds a run already: go on with it by --resume, or name another "
            "folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings, indent=2) + "\n"
    replace_file(folder / _FILE, lambda path: Path(path).write_text(text, "utf-8"))


def check_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Compare with what the run was begun with.

    Raises:
        AnotherRunError: They differ, or nothing was noted; the message says where.
    """
    try:
        begun = json.loads((folder / _FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise AnotherRunError(f"there is no run to go on from in {folder.parent}: {error}") from (
            error
        )
    now = json.loads(json.dumps(settings))
    differ = [name for name in now if begun.get(name) != now[name]]
    if differ:
        listed = ", ".join(f"{name} {begun.get(name)} (now {now[name]})" for name in differ)
        raise AnotherRunError(f"{folder.parent} was begun otherwise, with {listed}")
