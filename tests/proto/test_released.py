"""What a released contract had, the present one has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from townsfolk import contract
from townsfolk.contract import ContractVersion

PROTO = Path(__file__).parents[2] / "proto"
RELEASED = sorted(PROTO.glob("released/*.txt"))


@pytest.fixture(scope="module")
def present() -> set[str]:
    spec = importlib.util.spec_from_file_location("listing", PROTO / "listing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.listing())


def test_a_listing_tells_what_clients_rely_on(present):
    for line in (
        "field townsfolk.v1.Persona.name = 1 optional string",
        "field townsfolk.v1.SessionConfig.history = 6 repeated .townsfolk.v1.TranscriptEntry",
        "field townsfolk.v1.ConverseRequest.say = 2 optional .townsfolk.v1.Utterance in request",
        "value townsfolk.v1.EntryKind.ENTRY_KIND_SPOKE = 2",
        "call townsfolk.v1.TownsfolkService.Say (.townsfolk.v1.SayRequest) "
        "(stream .townsfolk.v1.SayResponse)",
    ):
        assert line in present


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_nothing_that_was_released_is_gone_or_different(present, released):
    before = set(released.read_text("utf-8").splitlines())
    version = ContractVersion.read(released.stem)
    assert sorted(before - present) == [] or version.major < contract.OWN.major
    if present - before:
        assert version < contract.OWN, "the contract has grown: raise CONTRACT_MINOR_CURRENT"
