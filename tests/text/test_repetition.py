"""Replies that go round in circles end, and what people say again and again does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.text.repetition import MAX_PERIOD, RepetitionGuard, enough

LINES = [
    json.loads(line)["text"]
    for line in (Path(__file__).parents[1] / "support" / "repeated_lines.jsonl")
    .read_text("utf-8")
    .splitlines()
]


def read(pieces, **options) -> tuple[str, bool]:
    guard = RepetitionGuard(**options)
    return "".join([*(guard.push(piece) for piece in pieces), guard.flush()]), guard.found


def first_loop(text: str) -> int | None:
    """Up to which character the text is read when it first ends in a loop: the slow way."""
    for end in range(1, len(text) + 1):
        for period in range(1, min(MAX_PERIOD, end) + 1):
            unit = text[end - period : end]
            if text[:end].endswith(unit * enough(unit)):
                return end
    return None


@st.composite
def loops(draw) -> str:
    """Text of few letters, some of it repeated."""
    letters = st.text("ab .é哈-", max_size=20)
    parts = [draw(letters) * draw(st.integers(1, 90)) for _ in range(draw(st.integers(1, 3)))]
    return "".join(parts)[:700]


@given(loops())
@example("Pettig" + "rew" * 30)
@example("a" * 79 + "b" + "a" * 79)
@example("-" * 160)
@example(("x" * 47 + "y") * 3)
def test_a_loop_is_found_where_the_slow_way_finds_it(text):
    guard, found = RepetitionGuard(), None
    for end, letter in enumerate(text, 1):
        guard.push(letter)
        if guard.found:
            found = end
            break
    assert found == first_loop(text)


@given(loops(), st.lists(st.integers(1, 40), max_size=30))
def test_what_comes_out_does_not_depend_on_the_pieces(text, sizes):
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read([*pieces, rest]) == read(text)


@given(loops())
def test_what_comes_out_is_how_the_text_begins(text):
    shown, found = read(text)
    assert text.startswith(shown)
    assert found or shown == text


@pytest.mark.parametrize("text", LINES)
def test_what_people_say_again_and_again_is_no_loop(text):
    assert read(text) == (text, False)


def test_no_line_of_the_corpus_is_a_loop():
    for number in range(300):
        for entry in conversation(f"loops:{number}").transcript:
            assert read([entry.text]) == (entry.text, False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I am Old Pettig" + "rew" * 60, "I am Old Pettigrewrewrewr"),
        ("Aye. " + "I am here to help. " * 9, "Aye. I am here to help. I am here to help."),
        ("I said " + "no, " * 60, "I said no, no, no,"),
        ("The door. " + "The old door by the sea and " * 9, None),
        ("哈" * 60, "哈" * 8),
    ],
)
def test_a_loop_is_held_back_up_to_the_sentence_or_word_that_was_begun(text, shown):
    said, found = read(text)
    assert found
    assert said == (shown or said)
    assert len(said) < 0.4 * len(text)
    if " " in text:
        assert said.endswith("rewr") or text[len(said)].isspace()


def test_what_was_held_back_comes_when_the_text_goes_on_otherwise():
    guard = RepetitionGuard()
    assert guard.push("Ravenmoor Castle. ") == "Ravenmoor Castle. "
    assert guard.push("Ravenmoor") == "Ravenmo"
    assert guard.push(" is far.") == "or is far."


def test_a_text_does_not_end_before_its_minimum():
    guard = RepetitionGuard(most_left=10)
    assert guard.push("la" * 100, 10) == "la" * 100
    assert not guard.found
    assert guard.push("la", 9) == ""
    assert guard.found


def test_a_long_text_is_looked_at_to_its_end():
    text = "".join(f"{number}, " for number in range(5000))
    shown, found = read([text + "round and " * 20])
    assert found
    assert shown.startswith(text + "round and ")
    assert len(shown) < len(text) + 30
