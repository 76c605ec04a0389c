"""The books that conversations are made of, and what writers are told of their mistakes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk import cli
from townsfolk.starter.corpus import book, check
from townsfolk.starter.corpus.book import BookError
from townsfolk.starter.corpus.grammar import fill, tidy
from townsfolk.starter.corpus.told import KINDS
from townsfolk.starter.corpus.values import generator

BOOK = """\
# a comment
slots: [name, other name]
hello: |
  Hello, {name}!
  [Good|Fine] day: #1, {other name} *bows*

  "Well, well."
ends:
  - " lol"
  - ""
share: 0.5
pairs: |
  what => waht
section:
  words: [no, yes, on, 1]
"""


def read(tmp_path, text):
    path = tmp_path / "book.yaml"
    path.write_text(text, encoding="utf-8")
    return book.read(path, "book.yaml")


def test_a_block_has_a_text_in_each_line_and_nothing_is_quoted(tmp_path):
    told = read(tmp_path, BOOK)
    assert told["hello"] == (
        "Hello, {name}!",
        "[Good|Fine] day: #1, {other name} *bows*",
        '"Well, well."',
    )
    assert told["ends"] == (" lol", "")
    assert told.number("share") == 0.5
    assert told.number("nothing", 2) == 2
    assert told.pairs("pairs") == (("what", "waht"),)
    # YAML would make truth values and numbers of them.
    assert told.section("section")["words"] == ("no", "yes", "on", "1")


def test_every_text_knows_its_line(tmp_path):
    lines = BOOK.splitlines()
    for _, line in read(tmp_path, BOOK).walk():
        assert line.text in lines[line.number - 1], line


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (("{name}!", "{nmae}!"), 4, "did you mean {name}"),
        (("{name}!", "{live/lives}!"), 4, "person"),
        (("Fine]", "Fine"), 5, "bracket is not closed"),
        (("[Good|Fine]", "Fine]"), 5, "']' without its partner"),
        (("{other name}", "{other name"), 5, "brace is not closed"),
        (("{name}!", "{}!"), 4, "empty braces"),
        (("Hello, {name}", "Hello, a {name}"), 4, "write {a slot}"),
        (("Well, well", "Well,  well"), 7, "two spaces"),
        (("Well, well", "Well , well"), 7, "a space before a mark"),
        (("=> waht", "=> {x}"), 13, "{x} is nothing that this book may use"),
    ],
)
def test_writers_are_told_line_and_reason(tmp_path, change, place, reason):
    faults = [str(fault) for fault in check.faults(read(tmp_path, BOOK.replace(*change)))]
    assert len(faults) == 1
    assert faults[0].startswith(f"book.yaml:{place}: ")
    assert reason in faults[0]


def test_a_right_book_has_no_faults(tmp_path):
    assert list(check.faults(read(tmp_path, BOOK))) == []


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (("share: 0.5", "hello: again"), 11, "stands twice"),
        (("share: 0.5", "share: [a"), 12, "expected"),
        (('- " lol"', "- {lol: 1}"), 9, "texts only"),
    ],
)
def test_what_is_no_book_is_refused_with_its_line(tmp_path, change, place, reason):
    with pytest.raises(BookError, match=rf"book\.yaml:{place}: .*{reason}"):
        read(tmp_path, BOOK.replace(*change))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\n"])
def test_a_book_is_a_mapping(tmp_path, text):
    with pytest.raises(BookError, match="mapping"):
        read(tmp_path, text)


def test_missing_and_wrong_entries_name_their_place(tmp_path):
    told = read(tmp_path, BOOK)
    with pytest.raises(BookError, match=r"book\.yaml:14: 'section' lacks 'tell'"):
        told.section("section")["tell"]
    with pytest.raises(BookError, match=r"book\.yaml:4: .*not a number|book\.yaml:4: .*texts"):
        told.number("hello")
    with pytest.raises(BookError, match=r"book\.yaml:4: .*1 parts"):
        told.pairs("hello")
    with pytest.raises(BookError, match=r"book\.yaml:11: no kind of value is called '0\.5'"):
        generator(told, "share")


def test_the_books_of_the_corpus_are_right():
    assert [str(fault) for fault in check.check(50)] == []


def test_a_slot_that_is_not_known_where_it_is_said_is_found(monkeypatch):
    told = book.book("topics/smalltalk")
    monkeypatch.setitem(told.texts, "weather reply", ("Ask my {worry}.",))
    faults = [str(fault) for fault in check.rehearsal(60, [told])]
    assert len(faults) == 1
    assert "{worry} is not known here" in faults[0]


def test_the_command_tells_writers(capsys, monkeypatch):
    with pytest.raises(SystemExit) as done:
        cli.main(["corpus", "check", "--conversations", "20"])
    assert done.value.code == 0
    told = book.book("told")
    monkeypatch.setitem(
        told.sections["name"].lines, "tell", (book.Line("I'm {y}.", "told.yaml", 7),)
    )
    with pytest.raises(SystemExit) as done:
        cli.main(["corpus", "check", "--conversations", "0"])
    assert done.value.code == 1
    assert "told.yaml:7: {y} is nothing" in capsys.readouterr().out


def test_the_command_shows_conversations(capsys):
    with pytest.raises(SystemExit) as done:
        cli.main(["corpus", "show", "--seed", "7", "--count", "2"])
    assert done.value.code == 0
    assert capsys.readouterr().out.count("Speak only as") == 2


PLAIN = st.text(st.characters(exclude_characters="[]{}|", exclude_categories=["Cs"]))


@given(PLAIN, st.integers())
def test_text_without_marks_is_itself(text, seed):
    assert fill(text, Random(seed), {}) == text


@given(st.lists(PLAIN, min_size=1, max_size=5), PLAIN, PLAIN, st.integers())
def test_a_choice_is_one_of_its_options(options, before, after, seed):
    template = f"{before}[{'|'.join(options)}]{after}"
    assert fill(template, Random(seed), {}) in {before + each + after for each in options}


@given(st.text(max_size=30), st.integers())
def test_what_fills_a_hole_is_never_read_as_a_template(value, seed):
    assert fill("<{x}>", Random(seed), {"x": value}) == f"<{value}>"


@given(st.text(st.sampled_from("aB ,.!?;:'1"), max_size=20))
def test_tidying_twice_changes_nothing(text):
    once = tidy(text)
    assert tidy(once) == once


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_told_fact_says_its_value(name):
    kind = KINDS[name]
    assert all("{x}" in text or "{X}" in text or "{a x}" in text for text in kind.tell), name
