"""A script is read with care: what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from townsfolk.dialogue.turn import TurnCue
from townsfolk.fake import Script, ScriptError
from townsfolk.fake.vocabulary import Heard, last_heard, make_tokenizer


def script(folder: Path, text: str) -> Script:
    path = folder / "script.toml"
    path.write_text(text, encoding="utf-8")
    return Script.read(path)


def test_the_first_line_that_fits_is_said(tmp_path):
    found = script(
        tmp_path,
        """
        [[lines]]
        character = "Mira"
        heard = "may(or|be)"
        says = "One."
        [[lines]]
        heard = "mayor"
        says = ["Two.", "Three."]
        [[lines]]
        says = "Four."
        """,
    )
    one, two, four = found.lines
    assert found.find("Mira", Heard("Tom", "Who is the MAYOR?")) is one
    assert found.find("Brann", Heard("Tom", "Who is the mayor?")) is two
    assert found.find("Mira", Heard("Tom", "Good evening!")) is four
    assert two.says == ("Two.", "Three.")


def test_where_no_line_fits_there_is_none(tmp_path):
    found = script(tmp_path, '[[lines]]\ncharacter = "Mira"\nsays = "One."')
    assert found.find("Brann", Heard("Tom", "Hello.")) is None


def test_a_line_can_be_for_one_cue_alone(tmp_path):
    found = script(
        tmp_path,
        """
        [[lines]]
        cue = "none"
        says = "One."
        [[lines]]
        cue = "event"
        heard = "bell"
        says = "Two."
        [[lines]]
        cue = "said"
        says = "Three."
        """,
    )
    none, event, said = found.lines
    assert found.find("Mira", Heard("", "", TurnCue.NONE)) is none
    assert found.find("Mira", Heard("", "[The bell rings.]", TurnCue.EVENT)) is event
    assert found.find("Mira", Heard("", "[It rains.]", TurnCue.EVENT)) is None
    assert found.find("Mira", Heard("Tom", "The bell!")) is said


def test_a_lines_own_pace_goes_before_the_defaults(tmp_path):
    found = script(
        tmp_path,
        """
        [defaults]
        delay_ms = 250
        words_per_second = 10
        [[lines]]
        says = "One."
        [[lines]]
        says = "Two."
        delay_ms = 0
        words_per_second = 0
        """,
    )
    assert [(found.delay_s(line), found.word_s(line)) for line in found.lines] == [
        (0.25, 0.1),
        (0.0, 0.0),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[lines]]\nsays = 'One.'\nsaid = 1", r"lines\.0\.said: Extra inputs"),
        ("[[lines]]\nheard = 'mayor'", r"lines\.0: says nothing: set says, acts, or fails"),
        ("[[lines]]\nheard = '('\nsays = 'One.'", r"lines\.0\.heard: is no regular expression"),
        ("[[lines]]\nsays = 'One.'\nfails = 'often'", r"lines\.0\.fails: Input should be 'over"),
        ("[[lines]]\nsays = 'One.'\ndelay_ms = -1", r"lines\.0\.delay_ms: Input should be greater"),
        ("[[lines]\n", r"Expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, complaint):
    with pytest.raises(ScriptError, match=rf"script\.toml: .*{complaint}"):
        script(tmp_path, text)


def test_a_missing_script_is_said(tmp_path):
    with pytest.raises(ScriptError, match="No such file"):
        Script.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("prompt", "heard"),
    [
        ("<|begin|>user<|says|>Tom: Hello: you!<|end|>", Heard("Tom", "Hello: you!")),
        (
            "<|begin|>user<|says|>[A door: it opens.]<|end|><|begin|>assistant<|says|>",
            Heard("", "[A door: it opens.]", TurnCue.EVENT),
        ),
        (
            "<|begin|>user<|says|>Tom: One.<|end|><|begin|>assistant<|says|>Ha.<|end|>"
            "<|begin|>user<|says|>[Rain.]\nÄnne: Zwei?<|end|><|begin|>assistant<|says|>",
            Heard("Änne", "Zwei?"),
        ),
        ("Once upon a time", Heard("", "Once upon a time")),
        (
            "<|begin|>user<|says|>[You speak first.]<|end|><|begin|>assistant<|says|>",
            Heard("", "", TurnCue.NONE),
        ),
    ],
)
def test_the_last_line_of_a_prompt_is_what_was_heard(prompt, heard):
    tokenizer = make_tokenizer()
    assert last_heard(tokenizer.encode(prompt, specials=True), tokenizer) == heard
