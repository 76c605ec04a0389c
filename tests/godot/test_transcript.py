"""The add-on's copy of a transcript passes the table of all clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from godot_engine import Oracle

SUPPORT = Path(__file__).parents[1] / "support"
CASES = [
    case
    for table in ("transcript_cases.json", "cue_cases.json")
    for case in json.loads((SUPPORT / table).read_text("utf-8"))["cases"]
]
CUES = {"TURN_CUE_EVENT": 2, "TURN_CUE_NONE": 3}
KINDS = {"ENTRY_KIND_HEARD": 1, "ENTRY_KIND_SPOKE": 2, "ENTRY_KIND_EVENT": 3}


def entries(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The add-on's own form of entries."""
    empty = {"speaker": "", "text": "", "cut": False, "turn_id": ""}
    return [empty | line | {"kind": KINDS[line["kind"]]} for line in lines]


def step(told: dict[str, Any]) -> dict[str, Any]:
    """An event by its own name, with entries in the add-on's form."""
    if asked := told.get("ask"):
        return {"ask": asked | {"cue": CUES.get(asked.get("cue"), 0)}}
    event = told.get("event", told)
    if trimmed := event.get("context_trimmed"):
        return {"context_trimmed": {"dropped": entries(trimmed["dropped"])}}
    if recorded := event.get("recorded"):
        return {"recorded": {"lines": entries(recorded["lines"])}}
    return event


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_table_of_all_clients(oracle: Oracle, case: dict[str, Any]) -> None:
    history, steps = entries(case.get("history", [])), [step(told) for told in case["steps"]]
    answer = oracle.ask("transcript", history=history, steps=steps)
    assert answer["entries"] == entries(case["expected"])
