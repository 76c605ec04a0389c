"""Tensors streamed in parts are those of the mapped file; here the device is the CPU."""

from itertools import pairwise

import pytest
import torch
from family_models import FAMILIES, write_model
from townsfolk.checkpoint import Checkpoint, Upload
from townsfolk.models import open_source
from townsfolk.models.loading import MappedTensors, StreamedTensors
from townsfolk.models.weights import DecoderWeights, Precision, WeightSource, expected_tensors
from transformers import LlamaConfig, LlamaForCausalLM

CPU = torch.device("cpu")


class Noted(WeightSource):
    """Another source, and all that it gave."""

    def __init__(self, source):
        self._source = source
        self.tensors = []

    def tensor(self, specs, dtype):
        self.tensors.append(self._source.tensor(specs, dtype))
        return self.tensors[-1]


@pytest.fixture(params=[torch.bfloat16, torch.float16, torch.float32], ids=str)
def directory(request, tmp_path):
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)  # biases begin as zeros
    model.to(request.param).save_pretrained(tmp_path, max_shard_size="60KB")
    return tmp_path


@pytest.mark.parametrize("part_bytes", [4608, 10_000, 2**20], ids=lambda n: f"{n}B")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_streamed_tensors_are_the_mapped_ones(directory, dtype, part_bytes):
    assert_streamed(directory, dtype, part_bytes)


@pytest.mark.parametrize("part_bytes", [4608, 2**20], ids=lambda n: f"{n}B")
@pytest.mark.parametrize("name", FAMILIES)
def test_tensors_of_every_family(tmp_path, name, part_bytes):
    """Some are stored transposed, fused, less one, or turned in a part of each head."""
    partial = {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}
    write_model(name, tmp_path, **(partial if name == "phi3" else {}))
    assert_streamed(tmp_path, torch.float32, part_bytes)


def assert_streamed(directory, dtype, part_bytes):
    architecture = open_source(directory).architecture()
    precision = Precision.choose(dtype, CPU)
    checkpoint = Checkpoint(directory)
    seen: list[int] = [0]
    with Upload(CPU, part_bytes) as upload:
        streamed = Noted(StreamedTensors(checkpoint, upload, CPU, dtype))
        DecoderWeights.build(architecture, precision, streamed)
        upload.finish(seen.append)
        mapped = Noted(MappedTensors(checkpoint, upload, dtype, lambda done: None))
        DecoderWeights.build(architecture, precision, mapped)
    assert len(streamed.tensors) == len(mapped.tensors)
    for ours, theirs in zip(streamed.tensors, mapped.tensors, strict=True):
        assert torch.equal(ours, theirs.to(ours.dtype))
    assert all(a < b for a, b in pairwise(seen))
    expected = expected_tensors(architecture)
    assert seen[-1] == sum(checkpoint.tensor(each).nbytes for each in expected)
