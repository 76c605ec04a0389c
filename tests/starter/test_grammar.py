from random import Random

import pytest
from townsfolk.starter.corpus.grammar import expand, fill, parse, phrases, with_article

SLOTS = {"name": "Mira", "trade": "eel trapper", "person": "second"}


def test_choices_nest():
    texts = {fill("[a|b[c|d]|]", Random(seed), {}) for seed in range(60)}
    assert texts == {"a", "bc", "bd", ""}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("I'm {name}.", "I'm Mira."),
        ("{Trade}!", "Eel trapper!"),
        ("I'm {a trade}.", "I'm an eel trapper."),
        ("{A trade}.", "An eel trapper."),
        ("{s/wrong} {are/is}", "S are"),
        ("well , yes .  so it is.", "Well, yes. So it is."),
        ("hm... yes", "Hm... yes"),
    ],
)
def test_holes_are_filled_and_seams_closed(template, text):
    assert expand(template, Random(0), SLOTS) == text


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("owl", "an owl"), ("cat", "a cat"), ("one-eyed man", "a one-eyed man"), ("Ale", "an Ale")],
)
def test_articles(noun, phrase):
    assert with_article(noun) == phrase


@pytest.mark.parametrize("template", ["[a|b", "a [b|[c] d", "I am {name"])
def test_open_brackets_are_an_error(template):
    with pytest.raises(ValueError, match="not closed"):
        parse(template)


def test_phrases_ignore_line_breaks():
    assert phrases("""
        one two / three
        four / {live/lives}
    """) == ("one two", "three four", "{live/lives}")
