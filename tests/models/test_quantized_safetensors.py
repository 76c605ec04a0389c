"""Quantised safetensors of the hub: logits are those of the numbers that they stand for."""

import json

import pytest
import torch
from gguf_files import compare_logits, random_model
from quantized_checkpoints import write_quantized
from townsfolk.checkpoint import CheckpointError
from townsfolk.models import Decoder, open_source
from townsfolk.models.loading import check_tensors
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat

WIDE = {"hidden_size": 256, "intermediate_size": 384}
GPTQ = {"quant_method": "gptq", "bits": 4}
AWQ = {"quant_method": "awq", "bits": 4, "version": "gemm"}
PACKED = {"quant_method": "compressed-tensors", "format": "pack-quantized"}
FLOAT8 = {"quant_method": "compressed-tensors", "format": "float-quantized"}
CASES = {
    "gptq": ("gptq", GPTQ, {"bits": 4, "symmetric": False}, BlockFormat.Q4_1),
    "gptq symmetric": ("gptq", GPTQ, {"bits": 4, "symmetric": True}, BlockFormat.Q4_0),
    "gptq 8": ("gptq", GPTQ | {"bits": 8}, {"bits": 8, "symmetric": True}, BlockFormat.Q8_0),
    "gptq 8 with zeros": ("gptq", GPTQ | {"bits": 8}, {"bits": 8, "symmetric": False}, None),
    "gptq in an order": (*("gptq", GPTQ, {"bits": 4, "symmetric": False, "shuffled": True}, None),),
    "awq": ("awq", AWQ, {"bits": 4, "symmetric": False}, BlockFormat.Q4_1),
    "packed": ("packed", PACKED, {"bits": 4, "symmetric": True}, BlockFormat.Q4_0),
    "int8": (
        *("int8", PACKED | {"format": "int-quantized"}),
        *({"bits": 8, "symmetric": True}, BlockFormat.Q8_0),
    ),
    "float8": ("float8", FLOAT8, {}, None),
}


def write(directory, name, group=128, **changes):
    model = random_model("llama", **WIDE, **changes)
    layout, config, how, _ = CASES[name]
    more = {} if layout == "float8" else {"group": group}
    write_quantized(directory, model, layout, config, **how, **more)
    return model


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_numbers(tmp_path, name, group):
    # 16-bit numbers of a fallback, and offsets of Q4_1 blocks, are rounded once.
    compare_logits(write(tmp_path, name, group), tmp_path, tolerance=3e-2)


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_the_integers(tmp_path, name):
    model = write(tmp_path, name)
    values, _ = Decoder.load(tmp_path, torch.float32).weights.layers[0].down.dense()
    expected = model.model.layers[0].mlp.down_proj.weight
    largest = expected.abs().max()
    assert (values - expected).abs().max() < largest * (4e-3 if "float8" in name else 1e-3)
    if CASES[name][3] in (BlockFormat.Q4_0, BlockFormat.Q8_0):
        assert torch.equal(values, expected)  # scales were fp16 already


@pytest.mark.parametrize("name", CASES)
def test_integers_stay_in_blocks(tmp_path, name):
    write(tmp_path, name)
    weight = Decoder.load(tmp_path).weights.layers[0].up
    expected = CASES[name][3]
    if expected is None:
        assert not isinstance(weight, StackedWeight)
    else:
        assert [part.block_format for part in weight.parts] == [expected]


def test_groups_of_no_whole_blocks_become_numbers(tmp_path):
    model = write(tmp_path, "gptq", group=16)
    assert not isinstance(Decoder.load(tmp_path).weights.layers[0].up, StackedWeight)
    compare_logits(model, tmp_path, tolerance=3e-2)


def test_biases_and_other_families(tmp_path):
    model = random_model("qwen2", **WIDE)
    write_quantized(tmp_path, model, "awq", AWQ, bits=4, symmetric=False, group=64)
    compare_logits(model, tmp_path, tolerance=3e-2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bits": 3}, "in 3 bits"),
        ({"quant_method": "awq", "version": "gemv"}, "version gemv"),
        ({"quant_method": "townsfolk", "version": 2}, "of version 2"),
        ({"quant_method": "townsfolk", "version": 1, "blocks": {"x": "q4_1"}}, "names x, which"),
        ({"quant_method": "townsfolk", "version": 1, "blocks": {"x": "q9"}}, "format 'q9'"),
        (
            {
                "quant_method": "townsfolk",
                "version": 1,
                "blocks": {"model.norm.weight": "q4_1"},
            },
            "model.norm.weight is F32 \\[256\\]",
        ),
    ],
)
def test_what_is_not_read_is_told(tmp_path, changes, said):
    write(tmp_path, "gptq")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = GPTQ | changes
    path.write_text(json.dumps(config))
    source = open_source(tmp_path)
    with pytest.raises(CheckpointError, match=said):
        check_tensors(source.architecture(), source.checkpoint())


def test_zeros_of_compressed_tensors_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    write(tmp_path, "packed")
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.mlp.up_proj.weight_zero_point"] = torch.zeros(1, dtype=torch.int32)
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="up_proj has zeros of its own; read are symmetric"):
        open_source(tmp_path).checkpoint()
