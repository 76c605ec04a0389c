"""What weights will take is known before they are loaded; and which formats a mix gives them."""

import pytest
import torch
from gguf import GGMLQuantizationType
from gguf_files import random_model, write_gguf
from townsfolk.models import Decoder, named_spec, open_source
from townsfolk.models.mixes import MIXES
from townsfolk.models.names import GGUF_NAMES, Architecture
from townsfolk.models.outline import WeightOutline
from townsfolk.models.weights import TensorSpec, expected_tensors
from townsfolk_kernels.quantized.blocks import BlockFormat

CPU = torch.device("cpu")
Q8_0 = GGMLQuantizationType.Q8_0


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("kind", ["Q8_0", "Q5_1"])
def test_what_is_planned_is_what_is_loaded(tmp_path, kind, tied):
    model = random_model("llama", tie_word_embeddings=tied)
    path = write_gguf(tmp_path / "m.gguf", model, "llama", GGMLQuantizationType[kind])
    source = open_source(path)
    outline = WeightOutline.of_checkpoint(
        source.architecture(), source.checkpoint(), torch.bfloat16, CPU
    )
    weights = Decoder.load(path, torch.bfloat16, CPU).weights
    assert outline == WeightOutline.of_weights(weights)
    assert outline.is_quantized


def test_a_tied_head_is_counted_once(tmp_path):
    model = random_model("llama", tie_word_embeddings=True)
    path = write_gguf(tmp_path / "m.gguf", model, "llama", GGMLQuantizationType.Q8_0)
    source = open_source(path)
    matrices = [name for name, shape in shapes(source.checkpoint()) if len(shape) == 2]
    # In fp32 the CPU keeps blocks as they are stored; its own layout fills the last rows up to 16.
    outline = WeightOutline.of_checkpoint(
        source.architecture(), source.checkpoint(), torch.float32, CPU
    )
    assert outline.nbytes == sum(map(source.checkpoint().nbytes, matrices))


def shapes(checkpoint):
    return [(name, checkpoint.shape(name)) for name in checkpoint]


def formats(mix, shape):
    """Names of the matrices of a shape, and their formats."""
    spec = named_spec(shape)
    found = expected_tensors(Architecture(spec, GGUF_NAMES))
    return {
        name: MIXES[mix].format_of(each, spec)
        for name, each in found.items()
        if len(each.shape) == 2
    }


def test_q4_k_m_of_8b_is_as_large_as_llama_cpp_makes_it():
    spec = named_spec("llama-3.1-8b")
    found = expected_tensors(Architecture(spec, GGUF_NAMES))
    norms = sum(each.shape[0] for each in found.values() if len(each.shape) == 1)
    total = norms * 4
    for name, kind in formats("q4_k_m", "llama-3.1-8b").items():
        rows, columns = found[name].shape
        total += rows * kind.row_bytes(columns)
    # Bits of a weight, as its own table of sizes has it.
    assert round(8 * total / spec.num_parameters, 4) == 4.8944


def test_half_of_the_values_and_down_projections_are_finer():
    found = formats("q4_k_m", "llama-3.2-1b")
    finer = [n for n, kind in found.items() if kind is BlockFormat.Q6_K]
    assert finer[0] == "token_embd.weight"  # it is the head, too
    layers = [0, 1, 4, 7, 10, 13, 14, 15]
    assert sorted(finer[1:]) == sorted(
        f"blk.{layer}.{name}.weight" for layer in layers for name in ("attn_v", "ffn_down")
    )
    assert {kind for n, kind in found.items() if n not in finer} == {BlockFormat.Q4_K}


def test_rows_that_are_no_whole_blocks_take_shorter_ones():
    found = formats("q4_k_m", "smollm2-135m")  # 576 columns
    assert found["blk.0.attn_q.weight"] is BlockFormat.Q5_0
    assert found["blk.0.attn_v.weight"] is BlockFormat.Q8_0
    assert found["token_embd.weight"] is BlockFormat.Q8_0
    short = TensorSpec("output.weight", (2048, 24))
    assert MIXES["q4_0"].format_of(short, named_spec("llama-tiny")) is None


@pytest.mark.parametrize("name", MIXES)
def test_random_weights_of_a_mix(name):
    spec = named_spec("llama-tiny")
    decoder = Decoder.random(spec, torch.float32, seed=1, mix=MIXES[name])
    weights = decoder.weights
    expected = formats(name, "llama-tiny")
    (part,) = weights.layers[0].output.parts
    assert part.block_format is expected["blk.0.attn_output.weight"]
    values, _ = weights.layers[0].up.dense()
    assert 0.01 < values.std() < 0.04


def test_an_outline_of_a_mix_is_that_of_its_random_weights():
    spec, mix = named_spec("llama-tiny"), MIXES["q4_k_m"]
    weights = Decoder.random(spec, torch.bfloat16, mix=mix).weights
    outline = WeightOutline.of_mix(spec, mix, torch.bfloat16, CPU)
    assert outline == WeightOutline.of_weights(weights)
    assert outline.step_bytes < outline.nbytes < WeightOutline.of_numbers(spec, torch.int8).nbytes


def test_on_a_gpu_blocks_stay_as_on_the_cpu(tmp_path):
    spec, mix, gpu = named_spec("llama-tiny"), MIXES["q4_k_m"], torch.device("cuda")
    outline = WeightOutline.of_mix(spec, mix, torch.bfloat16, gpu)
    assert outline.is_quantized
    assert outline.nbytes < 0.6 * WeightOutline.of_numbers(spec, torch.bfloat16).nbytes
    path = write_gguf(tmp_path / "m.gguf", random_model("llama"), "llama", Q8_0)
    source = open_source(path)
    found = WeightOutline.of_checkpoint(
        source.architecture(), source.checkpoint(), torch.bfloat16, gpu
    )
    assert found.is_quantized
    assert WeightOutline.of_mix(spec, mix, torch.bfloat16, CPU).is_quantized
