"""The GGUF file of a shape is one that others read, too."""

from dataclasses import replace

import pytest
import torch
from gguf import GGUFReader
from townsfolk.bench.checkpoint import CONTROLS
from townsfolk.bench.gguf_checkpoint import write_gguf
from townsfolk.bench.scene import word
from townsfolk.models import Decoder, named_spec, open_source
from townsfolk.models.mixes import MIXES
from townsfolk.text import Tokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(path, named_spec("llama-tiny"), MIXES["q4_k_m"], CPU)
    return path


def test_the_shape_comes_back(path):
    found, expected = open_source(path).architecture().spec, named_spec("llama-tiny")
    exact = replace(expected.layers[0].norm, eps=found.norm.eps)  # the file has it in fp32
    assert found.norm.eps == pytest.approx(expected.norm.eps)
    assert found.layers == tuple(replace(layer, norm=exact) for layer in expected.layers)
    assert (found.vocab_size, found.hidden_size) == (expected.vocab_size, expected.hidden_size)
    assert found.head == expected.head


def test_its_tensors_are_those_of_the_mix(path):
    reader = GGUFReader(path)
    spec = named_spec("llama-tiny")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_q.weight"] == "Q5_0"  # rows of 128 values are no blocks of Q4_K
    assert kinds["blk.1.ffn_down.weight"] == "Q6_K"
    assert kinds["output_norm.weight"] == "F32"
    weights = Decoder.load(path, torch.float32).weights
    assert 0.9 < weights.norm.weight.mean() < 1.1
    assert weights.layers[1].down.dense()[0].isfinite().all()
    assert len(weights.layers) == spec.num_layers


def test_without_a_mix_its_matrices_are_bf16(tmp_path):
    path = tmp_path / "m.gguf"
    write_gguf(path, named_spec("llama-tiny"), None, CPU)
    reader = GGUFReader(path)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["token_embd.weight"] == kinds["blk.1.ffn_down.weight"] == "BF16"
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    values = Decoder.load(path).weights.layers[1].down.dense()[0].float()
    assert 0.019 < values.std() < 0.021


def test_words_are_tokens(path):
    tokenizer = Tokenizer(open_source(path).tokenizer())
    assert len(tokenizer.encode(f" {word(3)} {word(4)}")) == 2
    assert tokenizer.bos_id == 2048 - len(CONTROLS)


def test_other_families_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of Llama shapes only"):
        write_gguf(tmp_path / "m.gguf", named_spec("gemma-3-1b"), MIXES["q8_0"], CPU)
    assert not list(tmp_path.iterdir())
