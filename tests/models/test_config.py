"""What is read from config.json, and what is refused with which reason."""

import json

import pytest
import torch
from townsfolk.models import UnsupportedModelError, open_source, read_config
from townsfolk.models.spec import (
    AttentionSpec,
    DecoderSpec,
    HeadSpec,
    LayerSpec,
    MlpSpec,
    NormSpec,
    RopeSpec,
    RopeType,
)
from transformers import LlamaConfig, MistralConfig

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
}
MISTRAL = {**LLAMA, "architectures": ["MistralForCausalLM"]}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_llama_3_as_transformers_4_wrote_it():
    found = read_config(
        {
            **LLAMA,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "rope_scaling": LLAMA3_ROPE,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "bos_token_id": 128000,
            "eos_token_id": [128001, 128008],
        },
        {"eos_token_id": 128009},
    )
    rope = RopeSpec(16, 500000.0, RopeType.LLAMA3, 32.0, 1.0, 4.0, 8192)
    layer = LayerSpec(AttentionSpec(8, 2, 16, 0.25, rope), MlpSpec(128), NormSpec(1e-5))
    assert found.spec == DecoderSpec(
        vocab_size=100,
        hidden_size=64,
        layers=(layer, layer),
        norm=NormSpec(1e-5),
        head=HeadSpec(tied=True),
        context_length=131072,
        bos_id=128000,
        eos_ids=frozenset({128001, 128008, 128009}),
        dtype=torch.bfloat16,
    )


def test_transformers_4_and_5_say_the_same():
    old = {**LLAMA, "rope_theta": 500000.0, "rope_scaling": LLAMA3_ROPE, "torch_dtype": "float16"}
    new = {
        **LLAMA,
        "rope_parameters": {**LLAMA3_ROPE, "rope_theta": 500000.0},
        "dtype": "float16",
    }
    assert read_config(old) == read_config(new)


def test_the_oldest_style_of_rope_scaling():
    spec = read_config({**LLAMA, "rope_scaling": {"type": "linear", "factor": 4.0}}).spec
    assert spec.layers[0].attention.rope == RopeSpec(8, 10000.0, RopeType.LINEAR, 4.0)
    assert spec.context_length == 8192


@pytest.mark.parametrize("config_class", [LlamaConfig, MistralConfig])
def test_defaults_are_those_of_transformers(config_class):
    theirs = config_class(vocab_size=100, head_dim=None)
    family = theirs.model_type.capitalize()
    raw = {
        "architectures": [f"{family}ForCausalLM"],
        "vocab_size": 100,
        "hidden_size": theirs.hidden_size,
        "intermediate_size": theirs.intermediate_size,
        "num_hidden_layers": theirs.num_hidden_layers,
        "num_attention_heads": theirs.num_attention_heads,
    }
    ours = read_config(raw).spec
    attention = ours.layers[0].attention
    assert attention.num_kv_heads == theirs.num_key_value_heads
    assert attention.head_dim == theirs.head_dim
    assert ours.norm.eps == theirs.rms_norm_eps
    assert attention.rope.theta == theirs.rope_parameters["rope_theta"]
    assert ours.head.tied == theirs.tie_word_embeddings
    assert attention.window == getattr(theirs, "sliding_window", None)


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({}, 4096),
        ({"sliding_window": None}, None),
        ({"sliding_window": 7}, 7),
        ({"sliding_window": 7, "layer_types": ["full_attention"] * 2}, None),
        ({"sliding_window": 7, "layer_types": ["sliding_attention"] * 2}, 7),
    ],
)
def test_sliding_window_of_mistral(fields, window):
    assert read_config({**MISTRAL, **fields}).spec.layers[0].attention.window == window


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM; supported are Llama"),
        ({"architectures": None}, "no architecture at all"),
        ({"architectures": None, "model_type": "gemma"}, "names gemma"),
        ({"hidden_act": "mish"}, "hidden_act is 'mish'"),
        ({"quantization_config": {"quant_method": "hqq"}}, r"quantised \(hqq\)"),
        ({"num_key_value_heads": 3}, "not a multiple of num_key_value_heads"),
        ({"head_dim": 7}, "head_dim is 7"),
        ({"torch_dtype": "float8_e4m3fn"}, "torch_dtype is 'float8_e4m3fn'"),
        ({"rope_scaling": {"rope_type": "spiral", "factor": 2.0}}, "rope_type is 'spiral'"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "'yarn' needs 'factor'"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "'longrope' needs 'short_factor'"),
        ({"rope_scaling": {"rope_type": "dynamic"}}, "'dynamic' needs 'factor'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "needs 'low_freq_factor'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "layer to layer"),
        ({"rope_scaling": {"rope_type": "linear", "factor": "x"}}, "rope parameters are malformed"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"vocab_size": 0}, "vocab_size: Input should be greater than 0"),
        ({"hidden_size": None}, "hidden_size"),
        ({"head_dim": None, "num_attention_heads": 7}, "not a multiple of num_attention_heads"),
        (
            {"architectures": ["MistralForCausalLM"], "layer_types": ["full_attention"]},
            "1 entries for 2 layers",
        ),
        (
            {"architectures": ["MistralForCausalLM"], "layer_types": ["mamba"] * 2},
            "layer_types names mamba",
        ),
    ],
)
def test_what_is_not_supported_is_refused_with_the_reason(fields, reason):
    with pytest.raises(UnsupportedModelError, match=reason):
        read_config({**LLAMA, **fields})


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(None, "does not exist"), ("{", "cannot be read"), ("[1]", "does not hold a JSON object")],
)
def test_a_broken_directory_is_refused(tmp_path, contents, reason):
    if contents is not None:
        (tmp_path / "config.json").write_text(contents)
    with pytest.raises(UnsupportedModelError, match=reason):
        open_source(tmp_path).architecture()


def test_eos_ids_come_from_both_files(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "eos_token_id": 2}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 4]}))
    assert open_source(tmp_path).architecture().spec.eos_ids == {2, 3, 4}
