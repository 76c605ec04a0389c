"""Adapters in every family against PEFT on random small models, in fp32."""

from pathlib import Path

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, make_model, oracle, write_model
from gguf import GGMLQuantizationType
from gguf_files import random_model, write_gguf
from paged import PagedRun
from peft_adapters import adapt, save
from townsfolk.checkpoint import AdapterError, read_adapter
from townsfolk.models import Decoder, open_source
from townsfolk.models.adapters import bind_adapter
from townsfolk.models.step_choice import compile_steps
from townsfolk_kernels.ops.low_rank import AdaptedWeight
from townsfolk_kernels.ops.stacked import StackedWeight

TOLERANCE = 1e-4


def adapted_model(name: str, path: Path, **changes):
    """Write a model and an adapter of it; return the model with the adapter in it, in PEFT."""
    adapted = adapt(write_model(name, path / "model"), name, **changes)
    save(adapted, path / "adapter")
    return adapted


def logits_of(decoder, tokens):
    """In a prefill chunk and steps of one token."""
    run = PagedRun(decoder, [len(tokens)])
    return torch.cat(
        [run.step({0: tokens[:-3]})[0], *(run.step({0: [token]})[0] for token in tokens[-3:])]
    )


def assert_close(decoder, model, rng, count=23):
    tokens = [rng.randrange(VOCABULARY) for _ in range(count)]
    difference = (logits_of(decoder, tokens) - oracle(model, tokens)).abs().max().item()
    assert difference < TOLERANCE


@pytest.mark.parametrize("name", FAMILIES)
def test_merged_logits_equal_those_of_peft(tmp_path, rng, name):
    model = adapted_model(name, tmp_path, use_rslora=True, rank_pattern={"layers.1.*": 7})
    adapter = read_adapter(tmp_path / "adapter")
    decoder = Decoder.load(tmp_path / "model", torch.float32, adapter=adapter)
    assert_close(decoder, model, rng)
    plain = Decoder.load(tmp_path / "model", torch.float32)
    tokens = [5, 6, 7, 8]
    assert (logits_of(plain, tokens) - oracle(model, tokens)).abs().max() > 0.1


def test_an_output_projection_of_its_own_can_be_adapted(tmp_path, rng):
    model = adapted_model("llama", tmp_path, target_modules=["lm_head", "v_proj"])
    adapter = read_adapter(tmp_path / "adapter")
    decoder = Decoder.load(tmp_path / "model", torch.float32, adapter=adapter)
    assert_close(decoder, model, rng)


def test_a_merged_model_of_16_bits_decodes_in_compiled_steps(tmp_path):
    """It is rounded once, as PEFT's merged model is, and as fast as any."""
    model = make_model("llama", hidden_size=64, intermediate_size=128).bfloat16()
    model.save_pretrained(tmp_path / "model")
    adapted = adapt(model.float(), "llama")
    save(adapted, tmp_path / "adapter")
    adapter = read_adapter(tmp_path / "adapter")
    decoder = Decoder.load(tmp_path / "model", torch.bfloat16, adapter=adapter)
    merged = adapted.merge_and_unload()
    expected = {name: each.bfloat16().float() for name, each in merged.named_parameters()}
    weight = decoder.weights.layers[1].down.dense()[0].float()
    theirs = expected["model.layers.1.mlp.down_proj.weight"]
    # Half a step of bf16, where the sums in fp32 differ by their last bit.
    torch.testing.assert_close(weight, theirs, atol=1e-6, rtol=2**-7)
    kv = PagedRun(decoder, [8]).pages
    plain = Decoder.load(tmp_path / "model", torch.bfloat16)
    assert (compile_steps(decoder, kv) is None) == (compile_steps(plain, kv) is None)


@pytest.mark.parametrize("family", ["llama", "qwen3", "phi3", "gpt2"])
def test_an_adapter_of_a_gguf_model(tmp_path, rng, family):
    """Files have names and rows of their own; in blocks the weights stay as they are."""
    wide = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.05}
    wide |= {"qwen3": {"head_dim": 64}, "phi3": {"pad_token_id": 0}}.get(family, {})
    model = random_model(family, **wide)
    path = write_gguf(tmp_path / "model.gguf", model, family)
    adapted = adapt(model, family)
    adapter = read_adapter(save(adapted, tmp_path / "adapter"))
    decoder = Decoder.load(path, torch.float32, adapter=adapter)
    assert_close(decoder, adapted, rng)


def test_weights_in_blocks_stay_so_beside_the_adapter(tmp_path, rng):
    wide = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.05}
    model = random_model("llama", **wide)
    path = write_gguf(tmp_path / "model.gguf", model, "llama", GGMLQuantizationType.Q4_0)
    adapted = adapt(model, "llama", target_modules=["q_proj", "v_proj", "down_proj"])
    adapter = read_adapter(save(adapted, tmp_path / "adapter"))
    decoder = Decoder.load(path, torch.float32, adapter=adapter)
    plain = Decoder.load(path, torch.float32)
    assert isinstance(decoder.weights.layers[0].qkv, AdaptedWeight)
    assert isinstance(decoder.weights.layers[0].up, StackedWeight)
    assert decoder.weights.is_quantized
    assert decoder.weights.nbytes == plain.weights.nbytes + adapter.nbytes
    assert_close(decoder, adapted, rng)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"num_hidden_layers": 4}, r"another model.*layers\.3\.self_attn\.q_proj"),
        ({"intermediate_size": 96}, "another model: its model.layers.0.mlp.gate_proj has 48"),
        ({"num_key_value_heads": 4}, "has 48 inputs and 48 outputs, the model's 48 and 24"),
    ],
)
def test_an_adapter_of_another_model_is_refused(tmp_path, other, message):
    write_model("llama", tmp_path)
    adapter = read_adapter(save(adapt(make_model("llama", **other), "llama"), tmp_path / "a"))
    with pytest.raises(AdapterError, match=message):
        bind_adapter(adapter, open_source(tmp_path).architecture())


def test_an_adapter_of_another_family_is_refused(tmp_path):
    write_model("llama", tmp_path)
    adapter = read_adapter(save(adapt(make_model("gpt2"), "gpt2"), tmp_path / "a"))
    with pytest.raises(AdapterError, match=r"another model.*transformer\.h\.0"):
        bind_adapter(adapter, open_source(tmp_path).architecture())


def test_a_head_that_is_the_embedding_is_not_adapted(tmp_path):
    write_model("llama", tmp_path, tie_word_embeddings=True)
    adapter = read_adapter(
        save(adapt(make_model("llama"), "llama", target_modules=["lm_head"]), tmp_path / "a")
    )
    with pytest.raises(AdapterError, match="shares the weights of the model's embedding"):
        bind_adapter(adapter, open_source(tmp_path).architecture())
