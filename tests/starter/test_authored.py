"""Conversations that were written whole, and answers to open questions."""

import re
from random import Random

import pytest
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter.corpus import authored as module
from townsfolk.starter.corpus import book as books
from townsfolk.starter.corpus.authored import authored
from townsfolk.starter.corpus.book import BookError
from townsfolk.starter.corpus.conversation import conversation, natural
from townsfolk.starter.corpus.split import Split
from townsfolk.starter.exam import paper

OPEN = {ask for ask, _ in books.book("natural").pairs("open")}


def _told(number, split=Split.TRAIN):
    return authored(Random(number), split)


def test_every_line_is_answered():
    for number in range(200):
        kinds = [entry.kind for entry in _told(number).transcript]
        assert kinds == [EntryKind.HEARD, EntryKind.SPOKE] * (len(kinds) // 2)


def test_no_hole_is_left_open():
    for number in range(200):
        told = _told(number)
        texts = [told.persona.description, *(entry.text for entry in told.transcript)]
        assert not any(mark in text for text in texts for mark in "{}[]")


def test_the_character_has_the_name_that_was_drawn():
    assert {_told(number).persona.name for number in range(20)} == {
        _told(number).name.full for number in range(20)
    }


def test_a_grandmother_has_a_womans_name():
    told = [_told(number) for number in range(500)]
    mothers = [each for each in told if each.persona.description.startswith("A grandmother")]
    assert mothers
    assert all(each.name.she for each in mothers)


def test_a_line_that_nobody_says_is_told_with_its_place(tmp_path, monkeypatch):
    path = tmp_path / "authored.yaml"
    path.write_text("a:\n  about: |\n    A cook.\n  style: |\n    calm\n  said: |\n    Hello.\n")
    monkeypatch.setattr(module, "_TEXT", books.read(path, "authored.yaml"))
    with pytest.raises(BookError, match=r"authored.yaml:7: begin with"):
        _told(0)


def test_natural_conversations_have_open_questions_and_those_of_the_starter_have_none():
    def asked(told):
        return OPEN & {entry.text for entry in told.transcript}

    assert any(asked(natural(f"open:{number}")) for number in range(30))
    assert not any(asked(conversation(f"open:{number}", edition=2)) for number in range(30))


def test_nothing_of_the_exam_is_in_them():
    written = [books.book(name) for name in ("authored", "natural")]
    text = "\n".join(line.text for each in written for key, line in each.walk() if key != "slots")
    exam = paper.read()
    told = [line for book in exam.values() for key, line in book.walk() if key != "slots"]
    parts = {part for line in told for part in line.text.split(books.ARROW)}
    values = {line.text for key, line in exam["values"].walk() if key not in ("slots", "kin")}
    values |= {name for key in ("items", "foes", "openings") for name in exam["acts"][key]}
    theirs = values | {part for part in parts if part.count(" ") >= 2}
    assert not {each for each in theirs if re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text)}
