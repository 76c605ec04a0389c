"""Where adapters lie: those that ship, those of a bundle, and folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from townsfolk.checkpoint import read_adapter
from townsfolk.library import places
from townsfolk.library.places import adapter_folder

SHIPPED = Path("townsfolk-npc")


def test_the_one_that_ships_has_its_name_and_can_be_read():
    adapter = read_adapter(adapter_folder(SHIPPED))
    assert adapter.config.r == 16
    assert adapter.config.base_model_name_or_path == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_folder_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / SHIPPED).mkdir()
    assert adapter_folder(SHIPPED) == SHIPPED


@pytest.mark.parametrize("named", ["no-such-adapter", "../adapters/townsfolk-npc", ""])
def test_what_does_not_ship_stays_what_it_is(named):
    assert adapter_folder(Path(named)) == Path(named)


def test_a_bundle_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "bundle_folder", lambda: tmp_path)
    assert adapter_folder(SHIPPED) == SHIPPED  # it did not bring it along
    (tmp_path / "adapters" / "guard").mkdir(parents=True)
    assert adapter_folder(Path("guard")) == tmp_path / "adapters" / "guard"
