"""All parts of a release have one version, each in its own file."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import townsfolk
from townsfolk import contract

ROOT = Path(__file__).parents[2]
GODOT = ROOT / "plugins/godot/addons/townsfolk"
UNITY = ROOT / "plugins/unity"


def found(pattern: str, path: Path) -> str:
    [one] = re.findall(pattern, path.read_text("utf-8"))
    return one


def test_one_version_for_all_parts():
    versions = {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "version"
        ],
        "plugin.cfg": found(r'version="(.+)"', GODOT / "plugin.cfg"),
        "contract.gd": found(r'VERSION := "(.+)"', GODOT / "runtime/contract.gd"),
        "grpc_channel.gd": found(r'"townsfolk-godot/(.+)"', GODOT / "transport/grpc_channel.gd"),
        "package.json": json.loads((UNITY / "package.json").read_text())["version"],
        "Contract.cs": found(r'PackageVersion = "(.+)"', UNITY / "Runtime/Core/Contract.cs"),
    }
    assert versions == dict.fromkeys(versions, townsfolk.__version__)


def test_the_guide_names_the_contract():
    assert f"**{contract.OWN}** now" in (ROOT / "docs/upgrading.md").read_text("utf-8")
