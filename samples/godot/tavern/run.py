"""Run the tavern: copies the add-on into the sample, imports it, and starts Godot.

    python samples/godot/tavern/run.py [--editor] [--godot PATH] [-- MORE ARGUMENTS FOR GODOT]

Godot 4.4 or later is taken from --godot, $TOWNSFOLK_GODOT or PATH; the runtime from the project's
virtual environment (.venv), or from PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent
ROOT = SAMPLE.parents[2]


def find_runtime() -> str | None:
    """Return the path of the runtime's program."""
    places = [Path(sys.executable).parent, ROOT / ".venv/bin", ROOT / ".venv/Scripts"]
    return shutil.which("townsfolk", path=os.pathsep.join(map(str, places))) or shutil.which(
        "townsfolk"
    )


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--editor", action="store_true", help="open the editor")
    parser.add_argument("--godot", help="path of the engine")
    parser.add_argument("more", nargs="*", help="more arguments for Godot, after --")
    arguments = parser.parse_args()
    godot = arguments.godot or os.environ.get("TOWNSFOLK_GODOT") or shutil.which("godot")
    if godot is None:
        parser.error("no Godot on PATH: get it from https://godotengine.org, or give --godot PATH")
    runtime = find_runtime()
    if runtime is None:
        parser.error("no `townsfolk` program: install the runtime first (see the README)")
    addon = ROOT / "plugins/godot/addons/townsfolk"
    shutil.copytree(addon, SAMPLE / "addons/townsfolk", dirs_exist_ok=True)
    command = [godot, "--path", str(SAMPLE)]
    imported = subprocess.run([*command, "--headless", "--import"], stdout=subprocess.DEVNULL)
    if imported.returncode != 0:
        return imported.returncode
    editor = ["--editor"] if arguments.editor else []
    environment = {"TOWNSFOLK_EXECUTABLE": runtime, **os.environ}
    return subprocess.run([*command, *editor, *arguments.more], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
