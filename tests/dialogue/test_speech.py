"""What of a reply is said aloud, and what is a stage direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.speech import (
    Described,
    Shown,
    Speech,
    SpeechSettings,
    Spoken,
    StageDirections,
)
from townsfolk.text.directions import LONGEST, Mark

CASES = yaml.safe_load(Path(__file__).with_name("speech.yaml").read_text("utf-8"))
MODES = [*StageDirections]


def told(pieces: Sequence[str], mode: StageDirections, marks: Sequence[Mark] = tuple(Mark)):
    """What comes of a reply in these pieces, with neighbouring texts of a kind joined."""
    speech = Speech(SpeechSettings(directions=mode, marks=marks))
    events = [each for piece in pieces for each in speech.take(piece)] + speech.finish()
    text = ""
    kinds: list[bool] = []
    for each in events:
        if isinstance(each, Shown):
            text += each.text
            kinds += [each.is_direction] * len(each.text)
    sentences = [(e.text, e.offset, e.length) for e in events if isinstance(e, Spoken)]
    directions = [e for e in events if isinstance(e, Described)]
    order = [type(e) for e in events if not isinstance(e, Shown)]
    return text, kinds, sentences, directions, order


@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
def test_replies_are_told_as_they_are_meant(case: dict[str, object]) -> None:
    text, kinds, sentences, directions, _ = told([case["text"]], StageDirections.KEEP)
    assert text == case["text"]
    marked = "".join(
        "}" * (before and not now) + "{" * (now and not before) + letter
        for letter, now, before in zip(text, kinds, [False, *kinds], strict=False)
    ) + "}" * bool(kinds and kinds[-1])
    assert marked == case["kept"]
    assert [each[0] for each in sentences] == case["said"]
    assert [each.text for each in directions] == case["done"]
    assert [text[d.offset : d.offset + d.length] for d in directions] == [
        part.split("}")[0] for part in case["kept"].split("{")[1:]
    ]


@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
def test_directions_are_dropped_or_told_apart(case: dict[str, object]) -> None:
    text, kinds, sentences, directions, _ = told([case["text"]], StageDirections.DROP)
    assert text.strip() == case["dropped"]
    assert not any(kinds)
    assert directions == []
    assert [each[0] for each in sentences] == case["said"]
    apart, _, apart_sentences, directions, _ = told([case["text"]], StageDirections.APART)
    assert (apart, apart_sentences) == (text, sentences)
    assert [each.text for each in directions] == case["done"]
    assert all(each.length == 0 for each in directions)


def test_a_sentence_says_where_it_stands_in_the_reply() -> None:
    reply = "*bows* Welcome. I *never* (sighs) lie! Bye"
    text, _, sentences, _, _ = told([reply], StageDirections.KEEP)
    assert [text[offset : offset + length] for _, offset, length in sentences] == [
        "Welcome.", "I *never* (sighs) lie!", "Bye"
    ]  # fmt: skip
    text, _, sentences, _, _ = told([reply], StageDirections.DROP)
    assert text == "Welcome. I *never* lie! Bye"
    assert [text[offset : offset + length] for _, offset, length in sentences] == [
        "Welcome.", "I *never* lie!", "Bye"
    ]  # fmt: skip


def test_a_sentence_comes_before_the_direction_behind_it() -> None:
    *_, order = told(["Out! *slams the door* And stay out."], StageDirections.KEEP)
    assert order == [Spoken, Described, Spoken]


def test_half_a_mark_is_never_shown() -> None:
    speech = Speech(SpeechSettings(directions=StageDirections.KEEP))
    shown = [
        "".join(each.text for each in speech.take(letter) if isinstance(each, Shown))
        for letter in "Ha *nods twice* you"
    ]
    assert shown == [*"Ha ", *[""] * 12, "*nods twice* ", *"you"]


def test_what_does_not_close_is_not_waited_for() -> None:
    speech = Speech(SpeechSettings())
    text = "I said (" + "so much that " * 20
    shown = "".join(each.text for each in speech.take(text) if isinstance(each, Shown))
    assert len(text) > LONGEST
    assert shown == text


def test_marks_can_be_chosen() -> None:
    reply = "*bows* (sighs) Yes."
    _, _, sentences, directions, _ = told([reply], StageDirections.KEEP, [Mark.ASTERISKS])
    assert [each.text for each in directions] == ["bows"]
    assert [each[0] for each in sentences] == ["(sighs) Yes."]
    _, _, sentences, directions, _ = told([reply], StageDirections.SPEAK)
    assert (sentences[0][0], directions) == (reply, [])


def test_marks_are_given_once() -> None:
    with pytest.raises(InvalidFieldError, match="marks"):
        SpeechSettings.checked(marks=(Mark.TAGS, Mark.TAGS))


TOKENS = st.sampled_from(
    ["*", "**", "***", "(", ")", "[", "]", "<", ">", "<b>", "<sigh>", "<action>", "</action>", " ",
     "\n", "word", "nods", "Dr", "3", ".", "!", "...", "\u3002", "\uff08", "\uff09", "\u4f60", "I"]
)  # fmt: skip


@given(tokens=st.lists(TOKENS, max_size=16), data=st.data(), mode=st.sampled_from(MODES))
def test_the_cut_of_the_stream_does_not_matter(
    tokens: list[str], data: st.DataObject, mode: StageDirections
) -> None:
    text = "".join(tokens)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = told([text], mode)
    assert told(pieces, mode) == whole
    assert told([*text], mode) == whole
    if mode in (StageDirections.KEEP, StageDirections.SPEAK):
        assert whole[0] == text
    shown = whole[0]
    for sentence, offset, length in whole[2]:
        assert sentence == sentence.strip()
        assert shown[offset] == sentence[0]
        assert shown[offset + length - 1] == sentence[-1]
