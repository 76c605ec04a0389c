"""Setting up a clone's environment, beside whichever PyTorch the machine gets."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bootstrap() -> dict:
    """The names of the script, which no package has."""
    return runpy.run_path(str(ROOT / "runtime" / "bootstrap.py"))


def names(constraints: str) -> set[str]:
    return {line.partition("==")[0] for line in constraints.splitlines() if "==" in line}


def test_what_pytorch_pins_itself_is_not_pinned_twice(bootstrap):
    """The CUDA build of Linux requires a Triton of exactly one version."""
    every = names((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    linux = "platform_system == 'Linux'"
    requirements = [f"triton==3.7.1; {linux}", f"Typing.Extensions==4.0; {linux}", "jinja2>=3"]
    kept = bootstrap["constraints"](requirements)
    assert names(kept) == every - {"triton", "typing_extensions"}


def test_a_build_that_pins_nothing_takes_all(bootstrap):
    whole = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert bootstrap["constraints"](["filelock", "sympy>=1.13.3"]) == whole
