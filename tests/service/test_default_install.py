"""What a game launches runs with what the set-up installs, without any extra."""

from __future__ import annotations

import re
import subprocess

import pytest
from default_install import ROOT, DefaultInstall
from townsfolk.client import RuntimeProcess


def test_make_talk_installs_no_extra():
    """So that what holds for the environment of these tests holds for the one of the README."""
    recipes = re.findall(r"bootstrap\.py (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert any("--extras" not in recipe for recipe in recipes)


def test_the_environment_is_bare(default_install: DefaultInstall):
    """Nothing of the tests' own environment shines through."""
    for module in ("pytest", "prometheus_client", "matplotlib", "transformers"):
        found = subprocess.run(
            [default_install.python, "-c", f"import {module}"], stderr=subprocess.PIPE
        )
        assert b"ModuleNotFoundError" in found.stderr, module


@pytest.mark.parametrize("flags", [(), ("--web-port", "0")], ids=["grpc", "grpc-web"])
def test_a_launched_runtime_serves(default_install: DefaultInstall, flags: tuple[str, ...]):
    """The plugins launch with `--web-port 0`: no extra may be needed for it."""
    with RuntimeProcess(flags, command=[str(default_install.townsfolk)]) as process:
        assert process.start().address
