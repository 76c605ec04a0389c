"""The client's copy of the transcript follows the session's events."""

from __future__ import annotations

from townsfolk.client.transcript import Transcript
from townsfolk.v1.dialogue_pb2 import (
    EntryKind,
    Notified,
    SessionError,
    SessionEvent,
    TextDelta,
    TurnFinished,
    TurnInterrupted,
    TurnStarted,
)


def started(turn_id: str) -> SessionEvent:
    return SessionEvent(turn_started=TurnStarted(turn_id=turn_id))


def delta(turn_id: str, text: str) -> SessionEvent:
    return SessionEvent(text_delta=TextDelta(turn_id=turn_id, text=text))


def finished(turn_id: str, text: str) -> SessionEvent:
    return SessionEvent(turn_finished=TurnFinished(turn_id=turn_id, text=text))


def interrupted(turn_id: str, text: str) -> SessionEvent:
    return SessionEvent(turn_interrupted=TurnInterrupted(turn_id=turn_id, text=text))


def lines(transcript: Transcript) -> list[tuple[int, str, str, bool]]:
    return [(entry.kind, entry.speaker, entry.text, entry.cut) for entry in transcript.entries]


def test_a_turn_is_two_lines() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    for event in (started("a"), delta("a", " Wel"), delta("a", "come."), finished("a", "Welcome.")):
        transcript.follow(event)
    assert lines(transcript) == [
        (EntryKind.ENTRY_KIND_HEARD, "Tom", "Hello!", False),
        (EntryKind.ENTRY_KIND_SPOKE, "Mira", "Welcome.", False),
    ]


def test_a_late_interrupt_cuts_what_was_finished() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    for event in (started("a"), finished("a", "Welcome, friend."), interrupted("a", "Welcome")):
        transcript.follow(event)
    assert lines(transcript)[1] == (EntryKind.ENTRY_KIND_SPOKE, "Mira", "Welcome", True)


def test_a_cut_shortens_an_answer_that_is_over() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    for event in (started("a"), finished("a", "Welcome, friend.")):
        transcript.follow(event)
    transcript.cut("a", 7)
    transcript.cut("a", 100)
    assert lines(transcript)[1] == (EntryKind.ENTRY_KIND_SPOKE, "Mira", "Welcome", True)


def test_a_turn_interrupted_while_it_waits_was_never_said() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    transcript.follow(interrupted("a", ""))
    assert lines(transcript) == []


def test_a_lost_connection_keeps_what_was_said() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    transcript.ask("b", "Tom", "Are you there?")
    for event in (started("a"), delta("a", " Well")):
        transcript.follow(event)
    transcript.lose_connection()
    assert lines(transcript) == [
        (EntryKind.ENTRY_KIND_HEARD, "Tom", "Hello!", False),
        (EntryKind.ENTRY_KIND_SPOKE, "Mira", "Well", True),
    ]


def test_a_failed_turn_leaves_no_answer_under_way() -> None:
    transcript = Transcript("Mira", [])
    transcript.ask("a", "Tom", "Hello!")
    transcript.follow(SessionEvent(error=SessionError(turn_id="a", message="no")))
    transcript.follow(started("a"))
    assert lines(transcript) == []


def test_events_of_the_world_are_lines() -> None:
    transcript = Transcript("Mira", [])
    transcript.follow(SessionEvent(notified=Notified(text="It rains.")))
    assert lines(transcript) == [(EntryKind.ENTRY_KIND_EVENT, "", "It rains.", False)]
