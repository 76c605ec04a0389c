"""The text of a reply as players see it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.labels import SpeakerLabels
from townsfolk.dialogue.reply import ReplyText
from townsfolk.engine.outputs import FinishReason
from townsfolk.text.repetition import RepetitionGuard

LABELS = SpeakerLabels(
    "Mira", ["Tom", "Tom Miller", "Ælf", "*Rat*", "Nurse (old)", "Straße", "汤姆"]
)


def heard(pieces: Sequence[str], **options) -> ReplyText:
    """A reply, of which each piece is taken for a token; checked on the way."""
    reply = ReplyText(LABELS, **options)
    text = "".join([*(reply.push(piece) for piece in pieces), reply.finish()])
    assert text == reply.text == text.strip()
    return reply


def shown(said: str, **options) -> str:
    whole = heard([said], **options)
    by_letter = heard(list(said), **options)
    assert (whole.text, whole.finish_reason) == (by_letter.text, by_letter.finish_reason)
    return whole.text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Hello.", "Hello."),
        (" \n Hello. \n", "Hello."),
        ("Mira: Hello.", "Hello."),
        ("\nmira:\n Hello.", "Hello."),
        ("Mira: Mira: Hello.", "Hello."),
        ("**Mira:** Hello.", "Hello."),
        ("**Mira**: Hello.", "Hello."),
        ("* **Mira:** Hello.", "Hello."),
        ("[Mira]: Hello.", "Hello."),
        ("[Mira:] Hello.", "Hello."),
        ("### Mira:\n\nHello.", "Hello."),
        ("Mira (smiling): Hello.", "Hello."),
        ("MIRA : Hello.", "Hello."),
        ("Mira\uff1aHello.", "Hello."),
        ('"Mira: Hello."', '"Hello."'),
        ("*Mira: waves.*", "*waves.*"),
        ("Mira: *waves* Hello.", "*waves* Hello."),
        ("Mira:*waves* Hello.", "*waves* Hello."),
        ("Mira:", ""),
        ("  ", ""),
    ],
)
def test_the_characters_own_label_is_left_out_before_a_reply(said: str, expected: str) -> None:
    assert shown(said) == expected
    assert heard([said]).finish_reason is None


@pytest.mark.parametrize(
    "said",
    [
        "Mira",
        "Mira is my name.",
        "Mirabelle: hello",
        "I am Mira: hello",
        "a  b",
        "Tom",
        "Tomorrow: the fair.",
        "Tom? I know him: a thief.",
        "I told Tom: go away!",
        "Ask Tom, Mira said. He knows: always.",
        "Tom\nMiller",
        "Hello.\nTom went home at 5:30.",
        "**Tom** is a thief.",
        "Three things: one, two, three.",
        "Hello.\n\n- bread\n- ale: two coppers",
        "Tom (the miller, and not a good one at that, as you know): I like him.",
        "Tom: ".replace(":", ";"),
    ],
)
def test_names_that_are_no_labels_stay(said: str) -> None:
    assert shown(said) == said.strip()
    assert heard([said]).finish_reason is None


LABELS_OF_OTHERS = [
    "Tom:", "tom:", "TOM :", "**Tom:**", "**Tom**:", "*Tom*:", "__Tom__:", "[Tom]:", "(Tom):",
    "<Tom>:", "# Tom:", "- Tom:", "> Tom:", "* Tom:", "\u201cTom:", '"Tom: ', "Tom\uff1a",
    "Tom (laughing):", "Tom Miller:", "tom miller :", "\u00e6lf:", "\u00c6LF:", "*Rat*:", "Rat:",
    "Nurse (old):", "stra\u00dfe:", "\u6c64\u59c6\uff1a",
]  # fmt: skip


@pytest.mark.parametrize("label", LABELS_OF_OTHERS)
@pytest.mark.parametrize("between", ["\n", "\n\n", " \n ", "\r\n", " ", "\n**\n"])
def test_somebody_elses_label_ends_the_reply(label: str, between: str) -> None:
    said = f"Hello there.{between}{label} I give you all my gold.\nMira: Thanks!"
    text = shown(said)
    assert text in ("Hello there.", "Hello there.\n**")
    assert heard([said]).finish_reason is FinishReason.END
    assert not heard([said]).began_as_another


@pytest.mark.parametrize("label", LABELS_OF_OTHERS)
@pytest.mark.parametrize("before", ["", "\n", "Mira: ", "**Mira:** "])
def test_a_reply_that_begins_as_somebody_else_is_empty_and_says_so(label: str, before: str) -> None:
    said = f"{before}{label} I give you all my gold."
    assert shown(said) == ""
    assert heard([said]).finish_reason is FinishReason.END
    assert heard([said]).began_as_another


@pytest.mark.parametrize("between", ["\n", " ", "\n\n**"])
def test_the_characters_own_label_ends_the_reply_further_on(between: str) -> None:
    said = f"Hello there!{between}Mira: And welcome."
    assert shown(said) == "Hello there!"
    assert heard([said]).finish_reason is FinishReason.END


def test_behind_a_chinese_full_stop_no_space_is_needed() -> None:
    assert shown("\u4f60\u597d\u3002\u6c64\u59c6\uff1a\u597d\u3002") == "\u4f60\u597d\u3002"


def test_text_is_held_back_no_longer_than_it_is_in_doubt() -> None:
    reply = ReplyText(LABELS)
    pieces = ["T", "o", "day", " it", ".", "\nTo", "m", " is", ":"]
    expected = ["", "", "Today", " it", ".", "", "", "\nTom is", ":"]
    assert list(map(reply.push, pieces)) == expected


def test_a_stop_of_the_template_ends_the_reply() -> None:
    assert shown("Hello.\nHow are you?", stops=["\n"]) == "Hello."
    assert heard(["Hello\n"], stops=["\n"]).finish_reason is FinishReason.END
    assert shown("Tom\n", stops=["\n"]) == "Tom"


class TestNearTheLimit:
    """Each letter is a token here."""

    def said(self, text: str, limit: int, last_tokens: int) -> ReplyText:
        reply = ReplyText(LABELS, last_tokens=last_tokens)
        for count, letter in enumerate(text[:limit], start=1):
            reply.push(letter, limit - count)
        reply.finish()
        return reply

    @pytest.mark.parametrize(
        ("limit", "last_tokens", "expected"),
        [
            (20, 10, "One and two."),  # the limit comes in the third word of the second sentence
            (40, 20, "One and two. Three or four!"),
            (40, 30, "One and two."),  # the sentence that is over soon enough
            (11, 11, "One and two"),  # too short for a sentence
            (40, 0, "One and two. Three or four! Mr. Five and"),  # no last tokens: cut anywhere
        ],
    )
    def test_a_reply_ends_with_a_sentence(
        self, limit: int, last_tokens: int, expected: str
    ) -> None:
        reply = self.said(
            "One and two. Three or four! Mr. Five and six went home.", limit, last_tokens
        )
        assert reply.text == expected

    def test_it_says_that_the_limit_was_the_reason(self) -> None:
        assert self.said("One. Two. Three.", 16, 14).finish_reason is FinishReason.LENGTH
        assert self.said("One. Two. Three.", 16, 1).finish_reason is None

    def test_a_sentence_that_was_over_before_does_not_count(self) -> None:
        reply = self.said("One. All and more. Three.", 25, 18)
        assert reply.text == "One. All and more."


@given(st.lists(st.text(alphabet="Mira: \nxTo*.", max_size=4), max_size=10))
def test_does_not_depend_on_how_the_text_was_cut(pieces: list[str]) -> None:
    one, other = heard(pieces), heard(["".join(pieces)])
    assert (one.text, one.finish_reason) == (other.text, other.finish_reason)


@given(st.text())
def test_is_part_of_what_was_said(said: str) -> None:
    assert shown(said) in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Who am I?\nTom: Me.</think>\n\nMira: Hello.", "Hello."),
        ("<think>I never come to an end", ""),
        ("Hello. <think>Did that go well?</think> How are you?", "Hello.  How are you?"),
        ("<think></think>Hello.", "Hello."),
        ("3 < 4", "3 < 4"),
        ("I <thi", "I <thi"),
    ],
)
def test_thoughts_are_never_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_thought_that_the_prompt_began_is_not_shown() -> None:
    assert shown("Who am I?</think>\n\nHello.", begins_in_thought=True) == "Hello."
    assert shown("Who am I?", begins_in_thought=True) == ""


def test_a_reply_that_goes_round_in_circles_ends():
    said = "I am Old Pettig" + "rew" * 60
    reply = heard(list(said), guard=RepetitionGuard())
    assert reply.finish_reason is FinishReason.REPETITION
    assert reply.text == "I am Old Pettigrewrewrewr"
    assert heard([said], guard=RepetitionGuard()).text == reply.text


def test_a_thought_that_goes_round_in_circles_ends_the_reply():
    said = "<think>" + "Wait, what was I asked? " * 20
    reply = heard(list(said), guard=RepetitionGuard())
    assert reply.finish_reason is FinishReason.REPETITION
    assert reply.text == ""


def test_a_label_that_was_held_back_as_repetition_ends_the_reply_all_the_same():
    said = "The word is Tom: no. The word is Tom: no.\nTom: Hello."
    reply = heard(list(said), guard=RepetitionGuard())
    assert reply.finish_reason is FinishReason.END
    assert reply.text == "The word is Tom: no. The word is Tom: no."
