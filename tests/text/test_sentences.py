from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.text import SentenceSplitter

CASES = {
    "two": ["Good evening.", "What will it be?"],
    "marks in a row": ["What?!", "You again!!", "Out..."],
    "titles": ["Ask Mr. Brand or Dr. Hale about St. Osric.", "They know."],
    "initials": ["J. R. Marsh wrote it.", "So did I.", "He is dead."],
    "acronym": ["The U.S. Army is far away.", "Good."],
    "time of day": ["Come at 5 p.m. or so.", "At 6 p.m. we close."],
    "decimals": ["It costs 3.5 gold.", "Pay 1,200.75 now."],
    "numbered": ["It is room no. 5.", "No.", "I will not go."],
    "list": ["1. Go north.", "2. Turn left at the mill."],
    "address": ["See example.com for more.", "Then come back."],
    "ellipsis inside": ["Well... maybe I know her.", "Or\u2026 not."],
    "ellipsis at the end": ["I wonder...", "Never mind."],
    "quotes": ['"Stop!" he said.', '"Who are you?"', '"A friend."'],
    "curly quotes": ["\u201cStop!\u201d he said.", "\u201cNo.\u201d", "Done."],
    "brackets": ["(She laughs.)", "[He nods.]", "Fine."],
    "gestures": ["*She wipes the bar.*", "*A pause.*", "What now?"],
    "for example": ["Buy food, e.g. Bread or cheese, i.e. What keeps.", "Go."],
    "yelling": ["Fire!", "fire!", "Run!"],
    "single word": ["Yes"],
    "unfinished": ["Take the road.", "And then"],
}


LANGUAGES = yaml.safe_load(Path(__file__).with_name("sentences.yaml").read_text("utf-8"))
WORLD = [
    pytest.param(case, each.get("join", " "), id=f"{each['language']} {number}")
    for each in LANGUAGES
    for number, case in enumerate(each["cases"])
]


def one_shot(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return splitter.push(text) + splitter.flush()


@pytest.mark.parametrize("sentences", CASES.values(), ids=CASES.keys())
def test_english(sentences: list[str]) -> None:
    assert one_shot(" ".join(sentences)) == sentences


@pytest.mark.parametrize(("sentences", "join"), WORLD)
def test_languages_of_the_world(sentences: list[str], join: str) -> None:
    text = join.join(sentences)
    assert one_shot(text) == sentences
    splitter = SentenceSplitter()
    assert [s for letter in text for s in splitter.push(letter)] + splitter.flush() == sentences


def test_sentences_know_where_they_stand() -> None:
    splitter = SentenceSplitter()
    text = "  One. Two!  \n Three. "
    found = [each for letter in text for each in splitter.take(letter)] + splitter.finish()
    assert [each.text for each in found] == ["One.", "Two!", "Three."]
    assert [text[each.start : each.end] for each in found] == [each.text for each in found]


def test_chinese_and_japanese() -> None:
    text = "\u3044\u3089\u3063\u3057\u3083\u3044\u3002\u300c\u597d\uff01\u300d\u4f55\uff1f"
    sentences = ["\u3044\u3089\u3063\u3057\u3083\u3044\u3002", "\u300c\u597d\uff01\u300d"]
    assert one_shot(text) == [*sentences, "\u4f55\uff1f"]


def test_a_line_break_ends_a_sentence_at_once() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("The menu:\n") == ["The menu:"]
    assert splitter.push("\n- ale\n- bread") == ["- ale"]
    assert splitter.flush() == ["- bread"]


def test_a_sentence_comes_with_the_first_character_of_the_next() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello there!") == []
    assert splitter.push(" ") == []
    assert splitter.push("W") == ["Hello there!"]


def test_usable_again_after_flush() -> None:
    splitter = SentenceSplitter()
    splitter.push("One. Tw")
    assert splitter.flush() == ["Tw"]
    assert splitter.push("Three. Four") == ["Three."]


@st.composite
def cut_text(draw: st.DrawFn) -> list[str]:
    alphabet = "aB1 .!?\u2026\"')*\n\u3002\u300d"
    words = st.sampled_from(["Mr.", "no.", "e.g.", "I.", "5 p.m.", "...", "?!", "Go", "3.5", "\n"])
    return draw(st.lists(st.one_of(words, st.text(alphabet=alphabet, max_size=4)), max_size=20))


@given(pieces=cut_text())
def test_the_cut_of_the_stream_does_not_matter(pieces: list[str]) -> None:
    splitter = SentenceSplitter()
    streamed = [s for piece in pieces for s in splitter.push(piece)] + splitter.flush()
    assert streamed == one_shot("".join(pieces))


@given(pieces=cut_text())
def test_nothing_but_space_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    sentences = one_shot(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
