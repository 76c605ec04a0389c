import json
from argparse import ArgumentParser

import pytest
import torch
from townsfolk.commands import train as command
from transformers import AutoTokenizer, LlamaForCausalLM

SMALL = {
    "steps": 4,
    "rows": 2,
    "length": 96,
    "log-every": 2,
    "warmup-steps": 1,
    "device": "cpu",
    "vocab-size": 320,
    "hidden-size": 32,
    "intermediate-size": 48,
    "num-hidden-layers": 1,
    "num-attention-heads": 2,
    "num-key-value-heads": 1,
    "head-dim": 16,
    "max-position-embeddings": 256,
}


def train(*arguments) -> int:
    parser = ArgumentParser()
    command.add_arguments(parser)
    small = [f"--{name}={value}" for name, value in SMALL.items()]
    return command.run(parser.parse_args([*small, *map(str, arguments)]))


@pytest.fixture
def data(tmp_path, scripts):
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(script.to_json()) for script in scripts))
    return path


def test_a_model_is_trained_fine_tuned_and_loads_elsewhere(tmp_path, data):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(data, "--out", first, "--dtype", "float32") == 0
    assert train(data, "--model", first, "--out", second, "--validation", data) == 0
    for folder in (first, second):
        assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
        assert model.config.eos_token_id == [4, 1]
        chat = [{"role": "user", "content": "Player: Hello!"}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert (first / "tokenizer.json").read_bytes() == (second / "tokenizer.json").read_bytes()


def test_a_new_model_can_have_the_tokenizer_of_another(tmp_path, data):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(data, "--out", first) == 0
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"text": "Quite another text, of quite other words. " * 20}))
    assert train(other, "--out", second, "--tokenizer", first) == 0
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (second / name).read_bytes() == (first / name).read_bytes()
    AutoTokenizer.from_pretrained(second)
    assert train(other, "--out", tmp_path / "third", "--tokenizer", tmp_path / "nothing") == 2
    assert train(data, "--out", tmp_path / "third", "--tokenizer", first, "--model", first) == 2


def test_what_was_trained_can_be_read_by_those_who_read_other_files(tmp_path, data):
    assert train(data, "--out", tmp_path / "new") == 0
    (tmp_path / "other").touch()
    usual = (tmp_path / "other").stat().st_mode
    written = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".safetensors", ".json"}
    assert {path.stat().st_mode for path in written} == {usual}


def test_training_data_that_is_no_text_is_named(tmp_path, data, capsys):
    data.write_bytes(b"\xff\xfe")
    assert train(data, "--out", tmp_path / "new") == 2
    assert "data.jsonl is not UTF-8 text" in capsys.readouterr().out


def test_a_model_with_damaged_weights_is_told(tmp_path, data, capsys):
    first = tmp_path / "first"
    assert train(data, "--out", first) == 0
    weights = first / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert train(data, "--out", tmp_path / "second", "--model", first) == 2
    assert "model.safetensors is not a readable safetensors file" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("--starter-corpus", "data.jsonl")])
def test_files_or_the_starter_corpus(tmp_path, capsys, arguments):
    assert train(*arguments, "--out", tmp_path) == 2
    assert "--starter-corpus" in capsys.readouterr().out


def test_missing_checkpoint_is_said(tmp_path, data, capsys):
    assert train(data, "--out", tmp_path / "new", "--model", tmp_path, "--resume") == 2
    assert "tokenizer.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option", ["--steps=0", "--rows=x", "--learning-rate=-1", "--max-minutes=nan", "--length=1"]
)
def test_numbers_out_of_range_are_refused(tmp_path, data, capsys, option):
    with pytest.raises(SystemExit):
        train(data, "--out", tmp_path, option)
    assert option.split("=")[0] in capsys.readouterr().err
