"""Dialogues of any source become data: sound, each once, split by character, described."""

from __future__ import annotations

import json
from argparse import ArgumentParser

import pytest
from townsfolk.commands import corpus_gather
from townsfolk.dataset import filters
from townsfolk.dataset.gather import Source, gather
from townsfolk.dataset.recordings import read
from townsfolk.training.script import InvalidScriptError, Script
from townsfolk.training.script import read as read_scripts


def script(name, *lines, **fields):
    """A dialogue of lines in turn, of the player first."""
    kinds = ("heard", "spoke")
    return {
        "persona": {"name": name, "description": "The innkeeper of the old inn by the river."},
        "transcript": [{"kind": kinds[at % 2], "text": text} for at, text in enumerate(lines)],
    } | fields


def write(path, *scripts):
    path.write_text("".join(json.dumps(each) + "\n" for each in scripts))
    return path


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("Sit down, the stew is hot.", None),
        ("You nod? Then sit down.", None),
        ("As I said, you may sit.", None),
        ("Good day.", filters.REPEATED),
        ("Tom: Good day to you too.", filters.FOR_THE_PLAYER),
        ("*you smile* Sit down.", filters.FOR_THE_PLAYER),
        ("Tom says he is tired.", filters.FOR_THE_PLAYER),
        ("How may I assist you today?", filters.OUT_OF_ROLE),
        ("and then", filters.BROKEN),
        ("He he said so.", filters.BROKEN),
        ("Go on, " * 40, filters.LOOP),
        (
            "You are Mira. The innkeeper of the old inn by the river. Speak only as Mira.",
            filters.RECITED,
        ),
    ],
)
def test_what_a_reply_must_not_be(reply, fault):
    told = script("Mira", "Hello.", "Good day.", "And now?", reply)
    told["transcript"][0]["speaker"] = told["transcript"][2]["speaker"] = "Tom"
    sound, found = filters.sound(Script.from_json(told))
    assert found == fault
    assert len(sound.transcript) == (4 if fault is None else 2)


def test_data_is_sound_once_and_split_by_character(tmp_path):
    people = [f"Mira {letter}" for letter in "ABCDEFGHIJ"]
    dialogues = [
        script(name, f"Question {number}?", f"That is answer {number}.", "And?", "No more of it.")
        for name in people
        for number in range(4)
    ]
    bad = script("Mira A", "Hello.", "Well met.", "And?", "As an AI language model, no.")
    again = script("Mira B", "question 1", "That is answer 1!", "And", "No more of it.")
    source = Source.read(write(tmp_path / "mine.jsonl", *dialogues, bad, again))
    data = gather([source], 0.2, 3)
    ((_, tally),) = data.tallies
    assert (tally.read, tally.kept) == (42, 41)
    assert tally.faults == {filters.OUT_OF_ROLE: 1, filters.DUPLICATE: 1}
    names = [{each.persona.name for each in part} for part in (data.train, data.held_out)]
    assert len(names[1]) == 2
    assert not names[0] & names[1]
    assert data == gather([source], 0.2, 3)


def test_the_command_writes_what_training_reads_and_a_card(tmp_path, capsys):
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    write(
        teacher / "dialogues.jsonl",
        *(script(f"Ada {at}", "Hello.", f"Name {at} and business.") for at in range(12)),
    )
    about = {"teacher": "Large", "seed": 7, "licence": "CC0-1.0"}
    about["dropped or cut short"] = {filters.LOOP: 3}
    (teacher / "about.json").write_text(json.dumps(about))
    mine = write(tmp_path / "mine.jsonl", script("Mira", "Hello.", "Well met."))
    parser = ArgumentParser()
    corpus_gather.add_arguments(parser)
    output = tmp_path / "data"
    arguments = [str(teacher), str(mine), "-o", str(output), "--licence", "mine.jsonl: mine"]
    assert corpus_gather.run(parser.parse_args(arguments)) == 0
    assert "12 of 12 dialogues kept (a teacher)" in capsys.readouterr().out
    learned, held = (
        len(read_scripts([output / name])) for name in ("train.jsonl", "held-out.jsonl")
    )
    assert learned + held == 13
    card = (output / "README.md").read_text()
    for text in (
        f"| `train.jsonl` | {learned} |",
        "| teacher | Large |",
        "| seed | 7 |",
        "cast of `teacher`: CC0-1.0",
        "mine.jsonl: mine",
        f"| {filters.LOOP} | 3 |",
        "### `mine.jsonl`: authored",
    ):
        assert text in card
    assert corpus_gather.run(parser.parse_args([str(tmp_path / "none"), "-o", str(output)])) == 2
    assert "none" in capsys.readouterr().err


def recorded(folder, name, played):
    folder.mkdir(exist_ok=True)
    fields = {"format": 1, "lore": [], "actions": [], "acts": [], "failed": []}
    (folder / f"{name}.json").write_text(json.dumps(fields | played))


def test_recorded_play_is_there_once_and_teaches_actions(tmp_path):
    folder = tmp_path / "play"
    lines = [
        {"kind": "heard", "speaker": "Tom", "text": "An ale!", "turn_id": "1"},
        {"kind": "spoke", "speaker": "Mira", "text": "Here you are.", "turn_id": "1"},
        {"kind": "event", "text": 'Mira: give(item="ale") is done'},
        {"kind": "heard", "speaker": "Tom", "text": "Thanks.", "turn_id": "2"},
        {"kind": "spoke", "speaker": "Mira", "text": "Drink", "turn_id": "2", "cut": True},
    ]
    act = {"turn_id": "1", "name": "give", "arguments": {"item": "ale"}, "accepted": True}
    who = {"persona": {"name": "Mira"}, "actions": [{"name": "give"}]}
    recorded(folder, "a", who | {"transcript": lines[:3], "acts": [act]})
    recorded(folder, "b", who | {"transcript": lines, "acts": [act]})  # saved, and gone on with
    recorded(folder, "c", who | {"transcript": lines, "acts": [act]})  # the same
    whole, acting = read(folder)
    assert [entry.text for entry in whole.transcript] == [line["text"] for line in lines]
    call = '<action>{"name": "give", "arguments": {"item": "ale"}}</action>'
    assert acting.transcript[-1].text == f"Here you are.{call}"
    assert len(acting.transcript) == 2
    data = gather([Source.read(folder)], 0.1, 0)
    assert [len(each.transcript) for each in data.train] == [2, 2]  # what was cut is not learned
    assert not data.held_out


def test_what_is_no_recording_is_said(tmp_path):
    recorded(tmp_path / "play", "a", {"format": 2})
    with pytest.raises(InvalidScriptError, match=r"a\.json: format: must be 1"):
        read(tmp_path / "play")
