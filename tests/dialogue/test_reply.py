"""The text of a reply as players see it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.reply import ReplyText


def shown(pieces: Sequence[str], name: str = "Mira") -> str:
    reply = ReplyText(name)
    text = "".join([*map(reply.push, pieces), reply.finish()])
    assert text == reply.text
    return text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Hello.", "Hello."),
        (" \n Hello. \n", "Hello."),
        ("Mira: Hello.", "Hello."),
        ("\nmira:\n Hello.", "Hello."),
        ("Mira: Mira: Hello.", "Mira: Hello."),
        ("Mira", "Mira"),
        ("Mira is my name.", "Mira is my name."),
        ("Mirabelle: hello", "Mirabelle: hello"),
        ("I am Mira: hello", "I am Mira: hello"),
        ("Mira:", ""),
        ("  ", ""),
        ("a  b", "a  b"),
    ],
)
def test_what_is_left_out(said: str, expected: str) -> None:
    assert shown([said]) == expected


@given(st.lists(st.text(alphabet="Mira: \nx", max_size=4), max_size=10))
def test_does_not_depend_on_how_the_text_was_cut(pieces: list[str]) -> None:
    assert shown(pieces) == shown(["".join(pieces)])


@given(st.text())
def test_has_no_white_space_around_it(said: str) -> None:
    text = shown(list(said))
    assert text == text.strip()
    assert text in said
