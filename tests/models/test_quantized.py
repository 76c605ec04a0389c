"""Weights of GGUF files stay in their blocks; results are those of what the blocks stand for."""

import subprocess
import sys

import pytest
import torch
from gguf import GGMLQuantizationType
from gguf_files import compare_logits, random_model, write_gguf
from paged import PagedRun
from townsfolk.bench.gguf_checkpoint import write_gguf as write_gguf_of_shape
from townsfolk.checkpoint import GgufCheckpoint, Upload
from townsfolk.models import Decoder, named_spec, open_source
from townsfolk.models.loading import MappedTensors, StreamedTensors
from townsfolk.models.mixes import MIXES
from townsfolk.models.weights import DecoderWeights, Precision, WeightSource
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

CPU = torch.device("cpu")
Kind = GGMLQuantizationType
# Rows of all matrices are whole blocks of 256 values.
WIDE = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.05}
FAMILIES = {
    "llama": {},
    "llama tied": {"tie_word_embeddings": True},
    "llama with biases": {"attention_bias": True, "mlp_bias": True},
    "qwen3": {"head_dim": 64},
    "gemma3": {"head_dim": 64, "query_pre_attn_scalar": 64, "sliding_window": 8},
    "phi3": {"pad_token_id": 0, "sliding_window": None},
    "gpt2": {},
}


def k_mix(name):
    """As Q4_K_M has it: values and half of the down projections finer than the rest."""
    if name in ("token_embd.weight", "output.weight"):
        return Kind.Q6_K
    return Kind.Q6_K if "attn_v" in name or "blk.0.ffn_down" in name else Kind.Q4_K


def partly_numbers(name):
    return Kind.F16 if "attn_k" in name or "ffn_up" in name else Kind.Q5_1


def write(path, family="llama", kind=k_mix, **changes):
    model = random_model(family, **WIDE, **changes)
    return model, write_gguf(path / "model.gguf", model, family, kind)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_of_a_mix_of_formats(tmp_path, name):
    compare_logits(*write(tmp_path, name.split()[0], **FAMILIES[name]))


@pytest.mark.parametrize("kind", list(BlockFormat), ids=lambda f: f.name)
def test_logits_of_every_format(tmp_path, kind):
    compare_logits(*write(tmp_path, kind=lambda name: Kind[kind.name], num_hidden_layers=1))


def test_logits_where_some_matrices_are_numbers(tmp_path):
    compare_logits(*write(tmp_path, kind=partly_numbers))


def formats(weight):
    return [getattr(part, "block_format", None) for part in weight.parts]


def test_weights_keep_their_formats(tmp_path):
    _, path = write(tmp_path)
    weights = Decoder.load(path).weights
    layer = weights.layers[0]
    assert formats(layer.qkv) == [BlockFormat.Q4_K, BlockFormat.Q6_K]  # q and k are one matrix
    assert formats(layer.up) == [BlockFormat.Q4_K]
    assert formats(layer.down) == [BlockFormat.Q6_K]
    assert formats(weights.layers[1].down) == [BlockFormat.Q4_K]
    assert weights.embedding.block_format is BlockFormat.Q6_K


def test_a_tied_head_is_the_embedding(tmp_path):
    _, path = write(tmp_path, tie_word_embeddings=True)
    weights = Decoder.load(path).weights
    assert weights.head.parts == (weights.embedding,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_other_dtypes_compute_the_same_up_to_rounding(tmp_path, dtype):
    model, path = write(tmp_path, num_hidden_layers=1)
    tokens = (torch.arange(20) * 7 % 101).tolist()
    found = PagedRun(Decoder.load(path, dtype), (20,)).step({0: tokens})[0]
    expected = model(torch.tensor([tokens])).logits[0]
    assert (found - expected).norm() < 0.05 * expected.norm()


def numbers(weights):
    """All that a decoder multiplies with, as numbers, and in which formats it is."""
    found = []
    every = [weights.head]
    for layer in weights.layers:
        every += [layer.qkv, layer.output, layer.up, layer.down]
    for weight in every:
        assert isinstance(weight, StackedWeight)
        found += [(formats(weight), *weight.dense())]
    assert isinstance(weights.embedding, QuantizedMatrix)
    found.append((weights.embedding.values(0, 101, torch.float32),))
    return found


@pytest.mark.parametrize("buffer_bytes", [64 * 512, 2**20], ids=lambda n: f"{n}B")
@pytest.mark.parametrize("name", ["llama", "llama with biases", "phi3", "gpt2"])
def test_streamed_blocks_are_the_mapped_ones(tmp_path, name, buffer_bytes):
    _, path = write(tmp_path, name.split()[0], **FAMILIES[name])
    architecture = open_source(path).architecture()
    precision = Precision.choose(torch.float32, CPU)
    checkpoint = GgufCheckpoint(path)
    with Upload(CPU, buffer_bytes) as upload:
        streamed = DecoderWeights.build(
            architecture, precision, StreamedTensors(checkpoint, upload, CPU, torch.float32)
        )
        mapped = DecoderWeights.build(
            architecture,
            precision,
            MappedTensors(checkpoint, upload, torch.float32, lambda done: None),
        )
        upload.finish(lambda done: None)
    for ours, theirs in zip(numbers(streamed), numbers(mapped), strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other) if isinstance(mine, torch.Tensor) else mine == other


def test_the_whole_file_is_reported(tmp_path):
    _, path = write(tmp_path)
    seen = []
    Decoder.load(path, progress=lambda done, total: seen.append((done, total)))
    checkpoint = GgufCheckpoint(path)
    total = sum(checkpoint.nbytes(name) for name in checkpoint)
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


LOAD = """
import resource, sys
import torch
from pathlib import Path
from townsfolk.models import Decoder, open_source
torch.set_num_threads(1)
open_source(Path(sys.argv[1])).architecture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Decoder.load(Path(sys.argv[1]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read as Linux counts them")
def test_loading_takes_little_more_than_the_file(tmp_path):
    path = tmp_path / "model.gguf"
    write_gguf_of_shape(path, named_spec("llama-160m"), MIXES["q8_0"], CPU)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    buffers = 96 * 2**20
    assert int(done.stdout) < 1.12 * path.stat().st_size + buffers


class Numbers(WeightSource):
    """All tensors of another source as numbers, as a GPU has them, and what they were."""

    def __init__(self, source):
        self._source = source
        self.tensors = []

    def tensor(self, specs, dtype):
        self.tensors.append(self._source.tensor(specs, dtype))
        return self.tensors[-1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("name", ["llama", "llama with biases", "phi3", "gpt2"])
def test_blocks_are_streamed_as_numbers(tmp_path, name, dtype):
    """Run by run, rounded once, into the places of the stacked tensors."""
    _, path = write(tmp_path, name.split()[0], **FAMILIES[name])
    architecture, checkpoint = open_source(path).architecture(), GgufCheckpoint(path)
    precision = Precision.choose(dtype, CPU)
    with Upload(CPU, 64 * 512 * 4) as upload:
        streamed = Numbers(StreamedTensors(checkpoint, upload, CPU, dtype))
        DecoderWeights.build(architecture, precision, streamed)
        upload.finish(lambda done: None)
        mapped = Numbers(MappedTensors(checkpoint, upload, dtype, lambda done: None))
        DecoderWeights.build(architecture, precision, mapped)
    for ours, theirs in zip(streamed.tensors, mapped.tensors, strict=True):
        assert torch.equal(ours, theirs.to(ours.dtype))
