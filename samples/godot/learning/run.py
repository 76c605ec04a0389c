"""Run the mine without a window: copies the add-on into the sample, imports it, and plays.

    python samples/godot/learning/run.py HOST:PORT [ADAPTER] [EPISODES] [--godot PATH]

The runtime must be running there; its token is what TOWNSFOLK_AUTH_TOKEN says.
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


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", metavar="HOST:PORT", help="where the runtime listens")
    parser.add_argument("adapter", nargs="?", default="", help="that the miner plays with")
    parser.add_argument("episodes", nargs="?", default="64", help="how many. Default 64")
    parser.add_argument("--godot", help="path of the engine")
    arguments = parser.parse_args()
    godot = arguments.godot or os.environ.get("TOWNSFOLK_GODOT") or shutil.which("godot")
    if godot is None:
        parser.error("no Godot on PATH: get it from https://godotengine.org, or give --godot PATH")
    addon = ROOT / "plugins/godot/addons/townsfolk"
    shutil.copytree(addon, SAMPLE / "addons/townsfolk", dirs_exist_ok=True)
    command = [godot, "--headless", "--path", str(SAMPLE)]
    imported = subprocess.run([*command, "--import"], stdout=subprocess.DEVNULL)
    if imported.returncode != 0:
        return imported.returncode
    played = [arguments.address, arguments.adapter, arguments.episodes]
    return subprocess.run([*command, "--", *played]).returncode


if __name__ == "__main__":
    sys.exit(main())
