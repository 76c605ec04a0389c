"""API.md says what the comments in the scripts say, of every member that a game can use."""

from __future__ import annotations

import importlib.util
import re
import sys

import godot_engine
import pytest

PLUGIN = godot_engine.ROOT / "plugins/godot"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("api_page", PLUGIN / "api_page.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_the_scripts_say(generator):
    page = (PLUGIN / "API.md").read_text(encoding="utf-8")
    assert page == generator.page(), "run python plugins/godot/api_page.py"


def test_every_class_with_a_name_is_on_the_page(generator):
    sources = (path.read_text() for path in (PLUGIN / "addons").rglob("*.gd"))
    named = {name for text in sources for name in re.findall(r"^class_name (\w+)", text, re.M)}
    assert {script.name for script in generator.scripts()} == {*named, "TownsfolkRuntime"}


def test_every_exported_member_is_on_the_page(generator):
    page = generator.page()
    for source in (path.read_text() for path in (PLUGIN / "addons").rglob("*.gd")):
        for name in re.findall(r"^@export(?!_group).*\bvar (\w+)", source, re.M):
            assert re.search(rf"^\| `{name}\b", page, re.M), name
