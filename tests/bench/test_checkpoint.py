"""A checkpoint of random weights is one like any other."""

import pytest
import torch
from townsfolk.bench.checkpoint import with_controls_last, write_checkpoint
from townsfolk.bench.scene import Scene, text, word
from townsfolk.models import NAMED_SHAPES, Decoder, open_source, read_config
from townsfolk.text.tokenizer import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

CPU = torch.device("cpu")
TINY = NAMED_SHAPES["llama-tiny"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(directory, TINY, torch.float32, CPU)
    return directory


@pytest.mark.parametrize("name", NAMED_SHAPES)
def test_the_shape_is_read_back(name, tmp_path):
    # Few layers and rows: the fields are what is tested.
    small = {"num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 64, "head_dim": 16}
    shape = NAMED_SHAPES[name] | small
    write_checkpoint(tmp_path, shape, torch.bfloat16, CPU)
    expected = read_config(with_controls_last(shape)).spec
    assert open_source(tmp_path).architecture().spec == expected
    tokenizer = Tokenizer.from_directory(tmp_path)
    assert tokenizer.bos_id == expected.bos_id
    assert tokenizer.eos_ids == expected.eos_ids
    assert tokenizer.vocab_size == shape["vocab_size"]


def test_transformers_loads_the_weights(directory):
    theirs = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).state_dict()
    ours = Decoder.load(directory, torch.float32)
    torch.testing.assert_close(ours.weights.embedding, theirs["model.embed_tokens.weight"])
    assert ours.num_parameters == sum(tensor.numel() for tensor in theirs.values())
    for name, tensor in theirs.items():
        mean = 1.0 if name.endswith("norm.weight") else 0.0
        assert abs(tensor.mean().item() - mean) < 0.01, name
        assert 0.015 < tensor.std().item() < 0.025, name


def test_words_are_tokens(directory):
    tokenizer = Tokenizer.from_directory(directory)
    said = text(Scene(npcs=1).draw("anything"), 100)
    ids = tokenizer.encode(f"user {said}")
    assert len(ids) == 101
    assert tokenizer.decode(ids) == f"user {said}"
    oracle = AutoTokenizer.from_pretrained(directory)
    assert ids == oracle.encode(f"user {said}", add_special_tokens=False)


def test_any_text_can_be_written(directory):
    tokenizer = Tokenizer.from_directory(directory)
    assert tokenizer.decode(tokenizer.encode("Grüße, 世界!\n")) == "Grüße, 世界!\n"


def test_words_differ():
    assert [word(0), word(1), word(26)] == ["aaaa", "aaab", "aaba"]
    assert len({word(index) for index in range(130_000)}) == 130_000
