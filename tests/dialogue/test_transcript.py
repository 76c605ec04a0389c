"""What a character remembers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.transcript import (
    MAX_SPEAKERS,
    EntryKind,
    Transcript,
    TranscriptEntry,
)


def heard(number: int) -> TranscriptEntry:
    return TranscriptEntry(kind=EntryKind.HEARD, text=f"question {number}", turn_id=f"t{number}")


def spoke(number: int, text: str = "Once upon a time.") -> TranscriptEntry:
    return TranscriptEntry(kind=EntryKind.SPOKE, text=text, turn_id=f"t{number}")


RAIN = TranscriptEntry(kind=EntryKind.EVENT, text="Rain")


def test_an_answer_comes_right_behind_its_question() -> None:
    transcript = Transcript([RAIN])
    transcript.ask(heard(1))
    transcript.note(RAIN)
    assert transcript.with_answer(spoke(1)) == (RAIN, heard(1), spoke(1), RAIN)
    assert transcript.entries == (RAIN, heard(1), RAIN)
    transcript.answer(spoke(1))
    assert transcript.entries == (RAIN, heard(1), spoke(1), RAIN)


def test_forgetting_does_not_move_the_answer() -> None:
    transcript = Transcript([heard(1), spoke(1)])
    transcript.ask(heard(2))
    assert transcript.forget(2) == (heard(1), spoke(1))
    transcript.note(RAIN)
    transcript.answer(spoke(2))
    assert transcript.entries == (heard(2), spoke(2), RAIN)


def test_a_question_without_an_answer_leaves_no_trace() -> None:
    transcript = Transcript([RAIN])
    transcript.ask(heard(1))
    transcript.note(RAIN)
    transcript.unask()
    assert transcript.entries == (RAIN, RAIN)


def test_an_answer_to_nothing_comes_where_it_was_begun() -> None:
    transcript = Transcript([RAIN])
    transcript.ask(None)
    transcript.note(RAIN)
    assert transcript.with_answer(spoke(1)) == (RAIN, spoke(1), RAIN)
    transcript.answer(spoke(1))
    assert transcript.entries == (RAIN, spoke(1), RAIN)


def test_an_answer_to_nothing_that_never_comes_takes_no_line_along() -> None:
    transcript = Transcript([RAIN])
    transcript.ask(None)
    assert transcript.forget(1) == (RAIN,)
    transcript.note(RAIN)
    transcript.unask()
    assert transcript.entries == (RAIN,)


@given(st.text(min_size=1).filter(str.strip), st.integers(0, 100))
def test_a_cut_keeps_exactly_so_many_code_points(text: str, count: int) -> None:
    transcript = Transcript([heard(1), spoke(1, text), heard(2), spoke(2, "other")])
    cut = transcript.cut("t1", count)
    entry = transcript.entries[1]
    assert entry.text == text[:count]
    assert entry.cut == (count < len(text)) == (cut == "t1")
    assert transcript.entries[3] == spoke(2, "other")


@pytest.mark.parametrize("turn_id", ["t9", "t2"])
def test_what_was_not_said_can_not_be_cut(turn_id: str) -> None:
    transcript = Transcript([heard(1), spoke(1), heard(2)])
    assert transcript.cut(turn_id, 0) is None
    assert transcript.entries == (heard(1), spoke(1), heard(2))


def test_without_a_turn_the_last_reply_is_cut() -> None:
    transcript = Transcript([heard(1), spoke(1), heard(2), spoke(2), RAIN])
    assert transcript.cut("", 4) == "t2"
    assert transcript.entries[3].text == "Once"


@given(st.data())
def test_its_size_is_that_of_its_lines_whatever_happens(data: st.DataObject) -> None:
    transcript = Transcript([RAIN, heard(0), spoke(0, "Grüße")])
    for number in range(1, data.draw(st.integers(1, 6))):
        transcript.ask(heard(number))
        transcript.note(RAIN)
        if data.draw(st.booleans()):
            transcript.answer(spoke(number, "Once — é."))
            transcript.cut("", data.draw(st.integers(0, 12)))
        else:
            transcript.unask()
        transcript.forget(data.draw(st.integers(0, 2)))
    assert transcript.size == Transcript(transcript.entries).size


def test_the_oldest_lines_are_too_many_but_never_the_last() -> None:
    entries = [heard(number) for number in range(10)]
    size = Transcript(entries).size
    limit = size * 6 // 10
    assert Transcript(entries[4:]).size <= limit
    for most, excess in ((size, 0), (size - 1, 1), (0, 9), (limit, 4)):
        assert Transcript(entries, most).excess() == excess


def test_speakers_are_remembered_when_their_lines_are_not() -> None:
    transcript = Transcript([TranscriptEntry(kind=EntryKind.HEARD, speaker="Tom", text="Hello")])
    transcript.forget(1)
    for number in range(MAX_SPEAKERS - 1):
        transcript.ask(heard(number).model_copy(update={"speaker": f"Guest {number}"}))
    assert "Tom" in transcript.speakers
    transcript.ask(heard(0).model_copy(update={"speaker": "One more"}))
    assert "Tom" not in transcript.speakers
    assert len(transcript.speakers) == MAX_SPEAKERS
