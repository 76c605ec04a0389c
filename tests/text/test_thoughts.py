"""Thoughts are left out of a text, however its pieces are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.text.thoughts import ThoughtFilter, is_thinking, without_thought

PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "<th", "ink>", "</", "/think>", ">", "a", " b\n"])
)


def said(pieces, **options):
    thoughts = ThoughtFilter(**options)
    return "".join([*map(thoughts.push, pieces), thoughts.finish()])


@given(pieces=PIECES, is_open=st.booleans())
def test_what_is_said_is_what_stands_outside_of_thoughts(pieces, is_open):
    whole = "<think>" * is_open + "".join(pieces)
    expected = re.sub(r"<think>.*?(</think>|\Z)", "", whole, flags=re.DOTALL)
    assert said(pieces, is_open=is_open) == expected
    assert said("".join(pieces), is_open=is_open) == expected


@given(pieces=PIECES)
def test_text_is_given_out_as_soon_as_it_can_be_no_mark(pieces):
    thoughts = ThoughtFilter()
    given_out = "".join(map(thoughts.push, pieces))
    held = thoughts.finish()
    assert held == "" or "<think>".startswith(held)
    assert len(given_out) + len(held) <= len("".join(pieces))


@pytest.mark.parametrize("prompt", ["say <think>", "say <think>\n"])
def test_a_prompt_that_begins_a_thought_ends_it(prompt):
    assert is_thinking(prompt)
    assert without_thought(prompt) == "say <think>\n\n</think>\n\n"
    assert not is_thinking(without_thought(prompt))
    assert without_thought("say") == "say"
