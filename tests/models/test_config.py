"""What is read from config.json, and what is refused with which reason."""

import json

import pytest
import torch
from townsfolk.models import DecoderConfig, RopeConfig, UnsupportedModelError
from townsfolk.models.config import RopeType
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
    config = DecoderConfig.from_hf(
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
    assert config == DecoderConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=128,
        num_layers=2,
        num_heads=8,
        num_kv_heads=2,
        head_dim=16,
        rms_norm_eps=1e-5,
        rope=RopeConfig(500000.0, RopeType.LLAMA3, 32.0, 1.0, 4.0, 8192),
        tie_embeddings=True,
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
    assert DecoderConfig.from_hf(old) == DecoderConfig.from_hf(new)


def test_the_oldest_style_of_rope_scaling():
    config = DecoderConfig.from_hf({**LLAMA, "rope_scaling": {"type": "linear", "factor": 4.0}})
    assert config.rope == RopeConfig(10000.0, RopeType.LINEAR, 4.0, original_context=2048)
    assert config.context_length == 8192


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
    ours = DecoderConfig.from_hf(raw)
    assert ours.num_kv_heads == theirs.num_key_value_heads
    assert ours.head_dim == theirs.head_dim
    assert ours.rms_norm_eps == theirs.rms_norm_eps
    assert ours.rope.theta == theirs.rope_parameters["rope_theta"]
    assert ours.tie_embeddings == theirs.tie_word_embeddings
    assert ours.sliding_window == getattr(theirs, "sliding_window", None)


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
    assert DecoderConfig.from_hf({**MISTRAL, **fields}).sliding_window == window


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"architectures": ["Qwen2ForCausalLM"]}, "Qwen2ForCausalLM; supported are Llama"),
        ({"architectures": None}, "no architecture at all"),
        ({"architectures": None, "model_type": "gemma"}, "names gemma"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"quantization_config": {"quant_method": "awq"}}, r"quantised \(awq\)"),
        ({"num_key_value_heads": 3}, "not a multiple of num_key_value_heads"),
        ({"head_dim": 7}, "head_dim is 7"),
        ({"torch_dtype": "float8_e4m3fn"}, "torch_dtype is 'float8_e4m3fn'"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope_type is 'yarn'"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "rope_type is 'longrope'"),
        ({"rope_scaling": {"rope_type": "dynamic"}}, "'dynamic' needs 'factor'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "needs 'low_freq_factor'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "layer to layer"),
        ({"rope_scaling": {"rope_type": "linear", "factor": "x"}}, "rope parameters are malformed"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"vocab_size": 0}, "vocab_size: Input should be greater than 0"),
        ({"hidden_size": None}, "hidden_size"),
        (
            {
                "architectures": ["MistralForCausalLM"],
                "layer_types": ["full_attention", "sliding_attention"],
            },
            "mixes full_attention, sliding_attention",
        ),
    ],
)
def test_what_is_not_supported_is_refused_with_the_reason(fields, reason):
    with pytest.raises(UnsupportedModelError, match=reason):
        DecoderConfig.from_hf({**LLAMA, **fields})


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(None, "does not exist"), ("{", "cannot be read"), ("[1]", "does not hold a JSON object")],
)
def test_a_broken_directory_is_refused(tmp_path, contents, reason):
    if contents is not None:
        (tmp_path / "config.json").write_text(contents)
    with pytest.raises(UnsupportedModelError, match=reason):
        DecoderConfig.from_directory(tmp_path)


def test_eos_ids_come_from_both_files(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "eos_token_id": 2}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 4]}))
    assert DecoderConfig.from_directory(tmp_path).eos_ids == {2, 3, 4}
