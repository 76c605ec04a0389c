"""Adapters in PEFT's files, read and written; PEFT itself is the oracle."""

import json

import pytest
import torch
from family_models import make_model
from peft import PeftModel
from peft_adapters import adapt, save
from safetensors.torch import load_file, save_file
from torch import nn
from townsfolk.checkpoint import (
    Adapter,
    AdapterConfig,
    AdapterError,
    LowRank,
    read_adapter,
    read_generation,
    write_adapter,
)

CHANGES = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "patterns": {
        "rank_pattern": {"k_proj": 2, r"layers\.1\..*\.up_proj": 6},
        "alpha_pattern": {"^model.layers.0.self_attn.q_proj": 3, "down_proj": 32},
    },
    "one pattern": {"target_modules": r".*\.layers\.[02]\.self_attn\.(q|v)_proj"},
    "without some": {"exclude_modules": ["v_proj"]},
    "some layers": {"layers_to_transform": [1], "layers_pattern": "layers"},
    "rslora with ranks": {"use_rslora": True, "rank_pattern": {"o_proj": 1}},
}


def deltas(adapted: PeftModel) -> dict[str, torch.Tensor]:
    """What PEFT adds to each module's weight, [out_features, in_features]."""
    found = {}
    for name, module in adapted.base_model.model.named_modules():
        if hasattr(module, "get_delta_weight"):
            delta = module.get_delta_weight("default").detach()
            is_conv1d = not isinstance(module.get_base_layer(), nn.Linear)
            found[name] = delta.mT if is_conv1d else delta
    return found


def same_deltas(adapter: Adapter, adapted: PeftModel) -> None:
    expected = deltas(adapted)
    assert adapter.weights.keys() == expected.keys()
    for name, weight in adapter.weights.items():
        torch.testing.assert_close(weight.delta(), expected[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_reads_what_peft_writes(tmp_path, changes):
    adapted = adapt(make_model("llama"), "llama", **changes)
    same_deltas(read_adapter(save(adapted, tmp_path)), adapted)


@pytest.mark.parametrize("family", ["gpt2", "phi3", "gemma3"])
def test_reads_adapters_of_families(tmp_path, family):
    adapted = adapt(make_model(family), family)
    same_deltas(read_adapter(save(adapted, tmp_path)), adapted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_keeps_the_dtype(tmp_path, dtype):
    adapted = adapt(make_model("llama"), "llama").to(dtype)
    adapter = read_adapter(save(adapted, tmp_path))
    assert {each.a.dtype for each in adapter.weights.values()} == {dtype}


@pytest.mark.parametrize(
    ("family", "module", "shape"),
    [
        ("llama", "model.layers.1.self_attn.k_proj", (24, 48)),
        ("gpt2", "transformer.h.2.attn.c_attn", (144, 48)),
    ],
)
@pytest.mark.parametrize("use_rslora", [False, True])
def test_peft_reads_what_is_written(tmp_path, family, module, shape, use_rslora):
    config = AdapterConfig(
        r=8,
        lora_alpha=24,
        target_modules=(module.rsplit(".", 1)[1],),
        use_rslora=use_rslora,
        rank_pattern={module: 3},
        fan_in_fan_out=family == "gpt2",
        base_model_name_or_path="somebody/some-model",
    )
    weight = LowRank(torch.randn(3, shape[1]), torch.randn(shape[0], 3), config.scale_of(module))
    write_adapter(Adapter(config, {module: weight}), tmp_path)
    adapted = PeftModel.from_pretrained(make_model(family), str(tmp_path))
    torch.testing.assert_close(deltas(adapted)[module], weight.delta(), atol=1e-5, rtol=1e-5)
    again = read_adapter(tmp_path)
    assert again.config == config
    assert again.weights.keys() == {module}
    torch.testing.assert_close(again.weights[module].a, weight.a, atol=0, rtol=0)


def test_a_rank_or_scale_that_the_config_does_not_say_is_not_written(tmp_path):
    config = AdapterConfig(r=2, lora_alpha=2)
    a, b = torch.ones(2, 4), torch.ones(4, 2)
    with pytest.raises(ValueError, match="scale"):
        write_adapter(Adapter(config, {"m": LowRank(a, b, 2.0)}), tmp_path)
    with pytest.raises(ValueError, match="rank"):
        write_adapter(Adapter(config, {"m": LowRank(a[:1], b[:, :1], 1.0)}), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("peft_type", "IA3", "peft_type is 'IA3'"),
        ("use_dora", True, "DoRA"),
        ("modules_to_save", ["lm_head"], "modules_to_save is .*whole modules"),
        ("bias", "all", "bias is 'all'"),
        ("lora_bias", True, "adds biases"),
        ("init_lora_weights", "pissa", "path_initial_model_for_weight_conversion"),
        ("trainable_token_indices", [3], "rows of the embedding"),
        ("alora_invocation_tokens", [1, 2], "aLoRA"),
        ("layer_replication", [[0, 2], [1, 3]], "layer_replication"),
        ("r", 0, "malformed: r: "),
        ("r", "eight", "malformed: r: "),
        ("r", 5, "says rank 5"),
        ("lora_alpha", "NaN", "malformed: lora_alpha: "),
        ("target_modules", ["o_proj"], r"target_modules .* doesn't name"),
        ("target_modules", "(", "no regular expression"),
        ("target_modules", r"(\w+)+x", "take for ever"),
        ("alpha_pattern", {".*" * 12 + "x": 2}, "take for ever"),
        ("rank_pattern", {"q_proj": -1}, "malformed: rank_pattern"),
    ],
)
def test_refuses_what_it_cannot_do(tmp_path, field, value, message):
    save(adapt(make_model("llama"), "llama", target_modules=["q_proj"]), tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(AdapterError, match=message):
        read_adapter(tmp_path)


Q = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        (f"{Q}.lora_magnitude_vector", torch.ones(48), "DoRA"),
        (f"{Q}.lora_B.bias", torch.ones(48), "lora_bias"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", torch.ones(4, 101), "embedding"),
        ("base_model.model.lm_head.modules_to_save.weight", torch.ones(101, 48), "whole modules"),
        (f"{Q}.prompt", torch.ones(1), "no weight of LoRA"),
        (f"{Q}.lora_A.weight", torch.ones(4, 48, 1), "only matrices"),
        (f"{Q}.lora_A.weight", torch.full((4, 48), torch.inf), "not finite"),
        (f"{Q}.lora_A.weight", torch.ones(4, 48).int(), "is I32"),
        (f"{Q}.lora_A.weight", None, "has lora_B alone"),
    ],
)
def test_refuses_other_tensors(tmp_path, name, tensor, message):
    save(adapt(make_model("llama"), "llama", target_modules=["q_proj"]), tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    tensors.pop(name, None)
    save_file(tensors if tensor is None else tensors | {name: tensor}, path)
    with pytest.raises(AdapterError, match=message):
        read_adapter(tmp_path)


def test_says_what_is_missing_or_damaged(tmp_path):
    with pytest.raises(AdapterError, match=r"adapter_config\.json does not exist"):
        read_adapter(tmp_path)
    config = tmp_path / "adapter_config.json"
    config.write_text("[]")
    with pytest.raises(AdapterError, match="JSON object"):
        read_adapter(tmp_path)
    config.write_text("{" * 10)
    with pytest.raises(AdapterError, match="cannot be read"):
        read_adapter(tmp_path)
    config.write_text('{"peft_type": "LORA"}')
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(AdapterError, match="pickled"):
        read_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(AdapterError, match="not a readable safetensors"):
        read_adapter(tmp_path)
    save_file({}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="no tensors"):
        read_adapter(tmp_path)


def test_how_replies_are_drawn_may_lie_beside_it(tmp_path):
    assert read_generation(tmp_path) == {}
    path = tmp_path / "generation_config.json"
    path.write_text('{"temperature": 0.3}')
    assert read_generation(tmp_path) == {"temperature": 0.3}
    for wrong in ("[]", "{"):
        path.write_text(wrong)
        with pytest.raises(AdapterError, match="generation_config"):
            read_generation(tmp_path)
