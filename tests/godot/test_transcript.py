"""The add-on's copy of a transcript passes the table of all clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from godot_engine import Oracle

TABLE = Path(__file__).parents[1] / "support" / "transcript_cases.json"
CASES = json.loads(TABLE.read_text("utf-8"))["cases"]
KINDS = {"ENTRY_KIND_HEARD": 1, "ENTRY_KIND_SPOKE": 2, "ENTRY_KIND_EVENT": 3}


def entries(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The add-on's own form of entries."""
    empty = {"speaker": "", "text": "", "cut": False, "turn_id": ""}
    return [empty | line | {"kind": KINDS[line["kind"]]} for line in lines]


def step(told: dict[str, Any]) -> dict[str, Any]:
    """An event by its own name, with entries in the add-on's form."""
    event = told.get("event", told)
    trimmed = event.get("context_trimmed")
    return {"context_trimmed": {"dropped": entries(trimmed["dropped"])}} if trimmed else event


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_table_of_all_clients(oracle: Oracle, case: dict[str, Any]) -> None:
    history, steps = entries(case.get("history", [])), [step(told) for told in case["steps"]]
    answer = oracle.ask("transcript", history=history, steps=steps)
    assert answer["entries"] == entries(case["expected"])
