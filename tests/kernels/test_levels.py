"""Compiled code that a bundle brings along is used where processor and program fit it."""

import sys

import pytest
from townsfolk_kernels.compiled import levels
from townsfolk_kernels.compiled.levels import Level

BEST, LEAST = Level("best", "cpu-2", ("one", "two")), Level("least", "cpu-1", ("one",))


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundle with code for two levels, as its program sees it on a processor that has both."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "townsfolk"))
    monkeypatch.setattr(levels, "LEVELS", (BEST, LEAST))
    monkeypatch.setattr(levels._config, "CPU_NAME", None)
    monkeypatch.setattr(levels._config, "CPU_FEATURES", None)
    reach(monkeypatch, "one", "two")
    for level in (BEST, LEAST):
        folder = tmp_path / levels.FOLDER / level.name
        folder.mkdir(parents=True)
        levels.stamp(folder, "these sources")
    return tmp_path


def reach(monkeypatch, *features):
    has = dict.fromkeys(features, True)
    monkeypatch.setattr(levels.llvm, "get_host_cpu_features", lambda: has)


def test_the_best_level_that_the_processor_reaches_is_taken(bundle, monkeypatch):
    assert levels.precompiled_folder("these sources") == bundle / "compiled" / "best"
    assert levels.has_feature("two")
    reach(monkeypatch, "one")
    assert levels.precompiled_folder("these sources") == bundle / "compiled" / "least"
    assert (levels._config.CPU_NAME, levels._config.CPU_FEATURES) == ("cpu-1", "+one")
    assert not levels.has_feature("two")


def test_a_processor_below_all_levels_compiles_for_itself(bundle, monkeypatch):
    reach(monkeypatch, "three")
    assert levels.precompiled_folder("these sources") is None
    assert levels._config.CPU_FEATURES is None
    assert levels.has_feature("three")


def test_code_of_other_sources_is_left_alone(bundle):
    assert levels.precompiled_folder("those sources") is None
    (bundle / "compiled" / "best" / "sources").unlink()
    assert levels.precompiled_folder("these sources") == bundle / "compiled" / "least"


def test_a_clone_compiles_for_its_own_processor(bundle, monkeypatch):
    monkeypatch.delattr(sys, "frozen")
    assert levels.precompiled_folder("these sources") is None
    assert levels._config.CPU_NAME is None
