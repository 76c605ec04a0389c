"""Decoders of GGUF files, against transformers on the weights that the files stand for."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf_files import compare_logits, random_model, write_gguf
from townsfolk.checkpoint import CheckpointError, GgufCheckpoint
from townsfolk.models import UnsupportedModelError, open_source
from townsfolk.models.loading import check_tensors

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
NARROW = {"head_dim": 16}
FAMILIES = {
    "llama": {},
    "llama tied": {"tie_word_embeddings": True},
    "llama with wide heads": {"head_dim": 32},
    "llama with biases": {"attention_bias": True, "mlp_bias": True},
    "mistral with a window": {"sliding_window": 7},
    "qwen2": {},
    "qwen3": NARROW,
    "gemma3": NARROW | {"sliding_window": 8, "query_pre_attn_scalar": 16, "num_hidden_layers": 7},
    "smollm3": {"num_hidden_layers": 5, "pad_token_id": 0},
    "granite": {
        "embedding_multiplier": 6.0,
        "residual_multiplier": 0.3,
        "attention_multiplier": 0.2,
        "logits_scaling": 4.0,
    },
    "phi3": {"pad_token_id": 0, "sliding_window": None},
    "gpt2": {},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_equal_transformers(tmp_path, name):
    family = name.split()[0]
    model = random_model(family, **FAMILIES[name])
    compare_logits(model, write_gguf(tmp_path / "model.gguf", model, family))


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_logits_of_quantised_weights(tmp_path, kind):
    model = random_model("llama")
    path = write_gguf(tmp_path / "model.gguf", model, "llama", GGMLQuantizationType[kind])
    compare_logits(model, path)


def test_a_model_in_parts(tmp_path):
    model = random_model("llama")
    write_gguf(tmp_path / "model.gguf", model, "llama", split=4)
    parts = sorted(tmp_path.glob("*.gguf"))
    assert len(parts) > 3
    compare_logits(model, parts[0])
    compare_logits(model, parts[2])


def test_frequencies_of_llama_3_come_as_divisors(tmp_path):
    model = random_model("llama", rope_parameters=LLAMA3, max_position_embeddings=256)
    usual = 10000.0 ** (-torch.arange(0, 16, 2) / 16)
    factors = (usual / model.model.rotary_emb.inv_freq).float()
    path = write_gguf(tmp_path / "m.gguf", model, "llama", more={"rope_freqs.weight": factors})
    compare_logits(model, path)


@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_stretched_contexts(tmp_path, kind):
    rope = {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0}
    if kind == "yarn":
        rope["original_max_position_embeddings"] = 64
    length = 64 if kind == "linear" else 256
    model = random_model("llama", rope_parameters=rope, max_position_embeddings=length)
    more = {"llama.rope.scaling.type": kind, "llama.rope.scaling.factor": 4.0}
    if kind == "yarn":
        more["llama.rope.scaling.original_context_length"] = 64
    compare_logits(model, write_gguf(tmp_path / "model.gguf", model, "llama", more=more))


@pytest.mark.parametrize(
    ("kind", "dtype"), [("F32", "float32"), ("F16", "float16"), ("Q8_0", "bfloat16")]
)
def test_the_dtype_is_that_of_the_file_and_bfloat16_for_quantised(tmp_path, kind, dtype):
    path = write_gguf(
        tmp_path / "model.gguf", random_model("llama"), "llama", GGMLQuantizationType[kind]
    )
    assert open_source(path).architecture().spec.dtype is getattr(torch, dtype)


def refused(path, error=UnsupportedModelError):
    source = open_source(path)
    with pytest.raises(error) as caught:
        check_tensors(source.architecture(), source.checkpoint())
    return str(caught.value)


def test_an_architecture_that_is_not_supported_is_named(tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama")
    monkeypatch.setattr("townsfolk.models.gguf._FAMILIES", {"qwen2": None, "gpt2": None})
    said = refused(path)
    assert "'llama'" in said
    assert "qwen2, gpt2" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"llama.expert_count": 8}, "mixture of experts"),
        ({"llama.rope.scaling.type": "nonsense", "llama.rope.scaling.factor": 2.0}, "'nonsense'"),
        ({"llama.rope.dimension_count": 8}, "partial_rotary_factor"),
        ({"rope_freqs.weight": torch.ones(3)}, "rope_freqs.weight is [3]"),
    ],
)
def test_what_is_not_supported_is_told(tmp_path, more, said):
    clean = {key: value for key, value in more.items() if not key.endswith("dimension_count")}
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama", more=clean)
    checkpoint = GgufCheckpoint(path)
    metadata = dict(checkpoint.metadata) | {k: v for k, v in more.items() if k not in clean}
    checkpoint.metadata = metadata
    from townsfolk.models.gguf import read_gguf

    with pytest.raises(UnsupportedModelError) as caught:
        read_gguf(checkpoint)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.block_count", 4_000_000_000),
        ("llama.block_count", "many"),
        ("llama.block_count", 2_000_000),
        ("llama.embedding_length", 0),
        ("llama.embedding_length", 1 << 30),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", 3),
        ("llama.attention.head_count_kv", np.array([2, 1])),
        ("llama.context_length", -1),
        ("llama.rope.freq_base", float("nan")),
        ("llama.rope.freq_base", "big"),
        ("llama.attention.layer_norm_rms_epsilon", True),
        ("general.architecture", 7),
    ],
)
def test_metadata_that_make_no_sense_are_refused(tmp_path, key, value):
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama")
    checkpoint = GgufCheckpoint(path)
    checkpoint.metadata = {**checkpoint.metadata, key: value}
    from townsfolk.models.gguf import read_gguf

    with pytest.raises((UnsupportedModelError, CheckpointError)):
        check_tensors(read_gguf(checkpoint), checkpoint)


def test_a_missing_tensor_is_named(tmp_path):
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama")
    data = path.read_bytes().replace(b"blk.1.ffn_up.weight", b"blk.1.ffn_ip.weight")
    path.write_bytes(data)
    said = refused(path, CheckpointError)
    assert "does not fit its metadata" in said
    assert "missing: blk.1.ffn_up.weight" in said


def test_a_type_that_is_not_read_is_named(tmp_path):
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama")
    data = bytearray(path.read_bytes())
    at = data.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 16
    data[at : at + 4] = (16).to_bytes(4, "little")
    path.write_bytes(data)
    said = refused(path, CheckpointError)
    assert "blk.0.attn_q.weight is IQ2_XXS, only F32, F16, Q4_0" in said
