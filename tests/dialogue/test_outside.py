"""Data from outside: every refusal names the field and its range."""

from __future__ import annotations

from typing import Any

import pytest
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.errors import InvalidFieldError, LimitReachedError, NotFoundError
from townsfolk.dialogue.lore import Lore, LoreBook
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import TranscriptEntry
from townsfolk.dialogue.turn import Utterance

MIRA = {"name": "Mira"}


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (Persona, {}, r"^name: .*1 to 64 characters"),
        (Persona, {"name": " "}, r"^name: .*1 to 64 characters"),
        (Persona, {"name": "x" * 65}, r"^name: .*1 to 64 characters"),
        (Persona, {"name": "Mi\nra"}, r"^name: must be a single line"),
        (Persona, {"name": "Mira", "age": 3}, r"^age: Extra inputs are not permitted$"),
        (Persona, {"name": "\ud800"}, r"^name: .*unicode"),
        (Lore, {"lore_id": "", "text": "x"}, r"^lore_id: .*1 to 128 characters"),
        (Lore, {"lore_id": "x" * 129, "text": "x"}, r"^lore_id: .*1 to 128 characters"),
        (Lore, {"lore_id": "a", "text": ""}, r"^text: .*at least 1 character"),
        (Utterance, {"text": " \n"}, r"^text: must not be empty"),
        (Utterance, {"text": "Hi", "speaker": "x" * 65}, r"^speaker: .*at most 64 characters"),
        (Utterance, {"text": "Hi", "speaker": "A\nB"}, r"^speaker: must be a single line"),
        (Utterance, {"text": "Hi", "turn_id": "x" * 129}, r"^turn_id: .*at most 128 characters"),
        (Utterance, {"text": "Hi", "deadline_ms": -1}, r"^deadline_ms: .*0 \(no limit\)"),
        (SessionConfig, {}, r"^persona: Field required"),
        (SessionConfig, {"persona": {"name": ""}}, r"^persona\.name: .*1 to 64 characters"),
        (SessionConfig, {"persona": MIRA, "priority": 101}, r"^priority: .*-100 to 100"),
        (SessionConfig, {"persona": MIRA, "session_id": "x" * 129}, r"^session_id: .*at most 128"),
        (SessionConfig, {"persona": MIRA, "lore_ids": [""]}, r"^lore_ids\.0: .*1 to 128"),
        (
            SessionConfig,
            {"persona": MIRA, "history": [{"kind": "heard", "text": ""}]},
            r"^history\.0: text must not be empty",
        ),
        (
            SessionConfig,
            {"persona": MIRA, "history": [{"kind": "heard", "text": "a", "speaker": "x" * 65}]},
            r"^history\.0\.speaker: .*at most 64 characters",
        ),
        (TranscriptEntry, {"kind": "sang", "text": "la"}, r"^kind: .*heard, spoke or event"),
    ],
)
def test_refusals_name_the_field(
    model: type[Outside], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidFieldError, match=message) as refusal:
        model.checked(**fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("model", "fields", "reason"),
    [
        (Persona, {"name": "x" * 65}, "is too long: at most 64 characters"),
        (Lore, {"lore_id": "", "text": "x"}, "must not be empty"),
        (SessionConfig, {"persona": MIRA, "priority": 101}, "must be at most 100"),
        (SessionConfig, {"persona": MIRA, "priority": 1.5}, "must be a whole number"),
        (Utterance, {"text": "Hi", "deadline_ms": -1}, "must be at least 0"),
        (Utterance, {"text": 5}, "must be a text"),
    ],
)
def test_refusals_are_in_the_words_of_a_game_maker(
    model: type[Outside], fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        model.checked(**fields)
    assert f": {reason}" in str(refusal.value)
    assert "should" not in str(refusal.value)  # as the library's own sentences say


def test_limits_themselves_are_allowed() -> None:
    config = SessionConfig.checked(
        persona={"name": "x" * 64},
        session_id="x" * 128,
        priority=-100,
        history=[{"kind": "spoke", "text": "", "cut": True}],
    )
    assert len(config.persona.name) == 64


def test_names_lose_surrounding_white_space() -> None:
    assert Persona.checked(name="  Mira\n").name == "Mira"


def test_lore_is_found_in_the_order_asked_for_and_replaced_by_id() -> None:
    book = LoreBook(512)
    book.register(Lore(lore_id="king", text="The king lives."))
    book.register(Lore(lore_id="bridge", text="The bridge is closed."))
    book.register(Lore(lore_id="king", text="The king is dead."))
    assert book.texts(["bridge", "king"]) == ("The bridge is closed.", "The king is dead.")


def test_unknown_lore_is_named() -> None:
    with pytest.raises(NotFoundError, match="'queen'"):
        LoreBook(512).texts(["queen"])


def test_a_full_book_still_replaces() -> None:
    book = LoreBook(512, max_lores=1)
    book.register(Lore(lore_id="a", text="one"))
    book.register(Lore(lore_id="a", text="two"))
    with pytest.raises(LimitReachedError, match="1 lores"):
        book.register(Lore(lore_id="b", text="three"))
    assert book.texts(["a"]) == ("two",)


def test_a_book_has_a_limit_of_all_its_bytes() -> None:
    book = LoreBook(512, max_bytes=10)
    book.register(Lore(lore_id="a", text="1234567890"))
    book.register(Lore(lore_id="a", text="123"))
    book.register(Lore(lore_id="b", text="1234567"))
    with pytest.raises(LimitReachedError, match="11 bytes of lore"):
        book.register(Lore(lore_id="c", text="1"))
    with pytest.raises(LimitReachedError, match="its limit is 10"):
        book.register(Lore(lore_id="a", text="\u00e4\u00e4"))
    assert book.texts(["a", "b"]) == ("123", "1234567")


def test_lore_that_no_character_could_know_is_refused() -> None:
    book = LoreBook(4)
    book.register(Lore(lore_id="a", text="x" * 32))
    with pytest.raises(InvalidFieldError, match=r"^text: has 33 .* at most 2 tokens.* than 32 "):
        book.register(Lore(lore_id="a", text="x" * 33))
