"""The outcome of `townsfolk eval`, in a file and in a picture, of a model with an adapter."""

import json
from argparse import ArgumentParser

import pytest
import torch
from chat_models import write_model
from townsfolk.checkpoint import AdapterConfig, write_adapter
from townsfolk.commands import evaluate
from townsfolk.dialogue.persona import Persona
from townsfolk.starter.exam.record import Record, RecordError, draw
from townsfolk.starter.exam.report import Tally
from townsfolk.starter.interview import Interview
from townsfolk.starter.reply import Act, Reply
from townsfolk.training.lora import LoraDecoder


@pytest.fixture
def record():
    return Record("model", 3, {"name": Tally(7, 8, 0, 10), "home": Tally(0, 1, 2, 10)})


def test_an_outcome_survives_its_file(tmp_path, record):
    record.write(tmp_path / "made" / "exam.json")
    assert Record.read(tmp_path / "made" / "exam.json") == record
    low, high = json.loads((tmp_path / "made" / "exam.json").read_text())["kinds"]["name"][
        "interval"
    ]
    assert 0.39 < low < 0.7 < high < 0.9


@pytest.mark.parametrize("text", ["{", "[]", '{"exam": "x", "seed": 0, "kinds": {"name": {}}}'])
def test_what_is_no_outcome_is_said(tmp_path, text):
    path = tmp_path / "exam.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"exam\.json holds no outcome of an exam"):
        Record.read(path)


def test_models_are_drawn_beside_each_other(tmp_path, record):
    other = Record("other", 3, {"name": Tally(1, 1, 0, 10), "lore": Tally(5, 5, 0, 10)})
    draw([record, other], tmp_path / "exam.png")
    assert (tmp_path / "exam.png").read_bytes().startswith(b"\x89PNG")


def test_sampled_replies_are_judged_by_their_form():
    lines = ("Hello.", "And?", "Go on.", "More.", "Take it!")
    asked = Interview("name", Persona(name="Mira"), (), lines)
    said = [
        Reply("Well met."),
        Reply("a broken one"),
        Reply("Round and round.", looped=True),
        Reply("A broken one twice. A broken one."),  # its words stood before
        Reply("", (Act("give", {}),)),
    ]
    marks = [mark for _, mark in evaluate._marked(asked, said)]
    assert [mark.right for mark in marks] == [True, False, False, True, True]
    assert "full stop" in evaluate._wrong(marks[1])
    assert evaluate._wrong(marks[2]) == "it goes round in circles"


def test_a_model_is_examined_with_its_adapter(tmp_path, record, capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "_MAX_NEW_TOKENS", 2)  # what it says doesn't matter here
    model = write_model(tmp_path / "model", "llama3", context=4096)
    adapted = LoraDecoder(model, AdapterConfig(target_modules=("q_proj",)), torch.device("cpu"))
    write_adapter(adapted.adapter(), tmp_path / "mira")
    record.write(tmp_path / "other.json")
    parser = ArgumentParser()
    evaluate.add_arguments(parser)
    fast = ("--count=1", "--replies=0", "--failures=0", "--device=cpu", "--threads=1")
    places = ("--model", str(model), "--adapter", str(tmp_path / "mira"), "-o", str(tmp_path / "o"))
    beside = ("--beside", str(tmp_path / "other.json"))
    assert evaluate.run(parser.parse_args([*places, *fast, *beside])) == 1  # it knows nothing
    found = Record.read(tmp_path / "o" / "exam.json")
    assert found.title == "model with mira"
    assert evaluate.SENTENCES not in found.tallies
    assert found.tallies["all"].of == len(found.tallies) - 1
    assert (tmp_path / "o" / "exam.png").exists()
    assert evaluate.run(parser.parse_args(["--adapter", str(tmp_path / "nobody")])) == 2
    assert "adapter_config.json does not exist" in capsys.readouterr().out.replace("\n", "")
