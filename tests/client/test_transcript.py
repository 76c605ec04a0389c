"""The client's copy of the transcript follows the session's events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from townsfolk.client.transcript import Transcript
from townsfolk.v1.dialogue_pb2 import (
    EntryKind,
    SessionEvent,
    TranscriptEntry,
    TurnCue,
    Utterance,
)

SUPPORT = Path(__file__).parents[1] / "support"
CASES = [
    case
    for table in ("transcript_cases.json", "cue_cases.json")
    for case in json.loads((SUPPORT / table).read_text("utf-8"))["cases"]
]


def entries(lines: list[dict[str, Any]]) -> list[TranscriptEntry]:
    return [ParseDict(line, TranscriptEntry()) for line in lines]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_table_of_all_clients(case: dict[str, Any]) -> None:
    transcript = Transcript("Mira", entries(case.get("history", [])))
    for step in case["steps"]:
        ((kind, content),) = step.items()
        match kind:
            case "ask":
                transcript.ask(ParseDict(content, Utterance()))
            case "event":
                transcript.follow(ParseDict(content, SessionEvent()))
            case "cut" if content["heard_characters"] is not None:
                transcript.cut(content["turn_ids"], content["heard_characters"])
            case "lost":
                transcript.lose_connection()
    assert transcript.entries == entries(case["expected"])


def test_an_answer_under_way_is_saved_as_far_as_it_has_come() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask(Utterance(turn_id="a", cue=TurnCue.TURN_CUE_NONE))
    transcript.follow(SessionEvent(turn_started={"turn_id": "a"}))
    transcript.follow(SessionEvent(text_delta={"turn_id": "a", "text": "Welcome, fr"}))
    transcript.follow(SessionEvent(notified={"text": "It rains."}))
    spoke, event = transcript.saved()
    assert (spoke.text, spoke.cut, spoke.turn_id) == ("Welcome, fr", True, "a")
    assert [event] == transcript.entries


def test_a_connection_opened_again_takes_over_the_runtimes_lines() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask(Utterance(turn_id="a", speaker="Tom", text="Hello!"))
    theirs = [TranscriptEntry(kind=EntryKind.ENTRY_KIND_EVENT, text="It rains.")]
    transcript.replace(theirs)
    assert transcript.entries == theirs


@pytest.mark.parametrize(("max_entries", "max_bytes"), [(10_000, 50), (2, 1000), (0, 1000)])
def test_the_newest_lines_that_a_request_can_hold(max_entries: int, max_bytes: int) -> None:
    lines = [TranscriptEntry(kind=EntryKind.ENTRY_KIND_EVENT, text=f"event {n}") for n in range(9)]
    transcript = Transcript("Mira", lines)
    transcript.keep_newest(max_entries, max_bytes)
    assert transcript.entries == lines[len(lines) - len(transcript.entries) :]
    assert len(transcript.entries) == min(2, max_entries)
