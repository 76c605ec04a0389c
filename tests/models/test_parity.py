"""Logits against Hugging Face transformers on random small models, in fp32."""

import pytest
import torch
from paged import PagedRun
from townsfolk.models import Decoder
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

TOLERANCE = 1e-4
SMALL = {
    "vocab_size": 101,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 1e4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
GRID = {
    "multi-head": {"num_key_value_heads": 4},
    "grouped-query": {},
    "multi-query": {"num_key_value_heads": 1},
    "three queries a key": {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16},
    "wide heads": {"head_dim": 32},
    "narrow heads": {"head_dim": 4},
    "tied": {"tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}},
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}},
    "yarn": {"rope_parameters": YARN, "max_position_embeddings": 256},
    "yarn with bounds": {
        "rope_parameters": YARN | {"beta_fast": 8.0, "beta_slow": 2.0, "attention_factor": 1.3},
        "head_dim": 64,
        "max_position_embeddings": 256,
    },
    "llama3": {"rope_parameters": LLAMA3, "max_position_embeddings": 256},
}
WIDE = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.06,
}
LENGTHS = (1, 2, 5, 16, 33, 61)


@torch.no_grad()
def randomise(model):
    """Norms and biases start as ones and zeros, which would hide errors in their use."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(0.0, 0.3)
        elif "norm" in name:
            parameter.normal_(1.0, 0.3)


def pair(tmp_path, family, **changes):
    """A transformers model with random weights and this project's decoder of the same files."""
    torch.manual_seed(1)
    kinds = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "mistral": (MistralConfig, MistralForCausalLM),
    }
    config_class, model_class = kinds[family]
    model = model_class(config_class(**{**SMALL, **changes})).eval()
    randomise(model)
    model.save_pretrained(tmp_path)
    return model, Decoder.load(tmp_path, torch.float32)


@torch.no_grad()
def oracle(model, tokens):
    return model(torch.tensor([tokens])).logits[0]


def prompts(rng, lengths=LENGTHS):
    return [[rng.randrange(SMALL["vocab_size"]) for _ in range(length)] for length in lengths]


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert (found - expected).abs().max().item() < TOLERANCE


@pytest.mark.parametrize("changes", GRID.values(), ids=GRID.keys())
def test_logits_equal_transformers(tmp_path, rng, changes):
    model, decoder = pair(tmp_path, "llama", **changes)
    sequences = prompts(rng)
    run = PagedRun(decoder, LENGTHS)
    found = run.step(dict(enumerate(sequences)))
    for index, tokens in enumerate(sequences):
        assert_close(found[index], oracle(model, tokens))


@pytest.mark.parametrize("window", [1, 7, 16, None])
def test_mistral_sliding_window(tmp_path, rng, window):
    model, decoder = pair(tmp_path, "mistral", sliding_window=window)
    assert decoder.spec.layers[0].attention.window == window
    sequences = prompts(rng)
    run = PagedRun(decoder, LENGTHS)
    for index, tokens in enumerate(sequences):
        found = [run.step({index: tokens[:3]})[index]]
        found += [run.step({index: [token]})[index] for token in tokens[3:]]
        assert_close(torch.cat(found), oracle(model, tokens))


@pytest.mark.parametrize("shuffle", [True, False], ids=["scattered", "contiguous"])
@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_prefill_chunks_mix_with_decode(tmp_path, rng, family, shuffle):
    window = {"sliding_window": 12} if family == "mistral" else {}
    model, decoder = pair(tmp_path, family, **window)
    sequences = prompts(rng)
    run = PagedRun(decoder, LENGTHS, shuffle=shuffle)
    found = {index: [] for index in range(len(sequences))}
    left = dict(enumerate(sequences))
    while left:
        parts = {}
        for index in rng.sample(sorted(left), rng.randint(1, len(left))):
            size = rng.choice([1, 1, 3, 9])
            parts[index], left[index] = left[index][:size], left[index][size:]
        for index, logits in run.step(parts).items():
            found[index].append(logits)
        left = {index: tokens for index, tokens in left.items() if tokens}
    for index, tokens in enumerate(sequences):
        assert_close(torch.cat(found[index]), oracle(model, tokens))


def test_dynamic_rope_decodes_past_the_original_context_like_transformers(tmp_path, rng):
    """Token by token, transformers takes each token's base from the length so far, as we do."""
    model, decoder = pair(tmp_path, "llama", **GRID["dynamic"], max_position_embeddings=16)
    assert decoder.spec.context_length == 64
    tokens = prompts(rng, [40])[0]
    run = PagedRun(decoder, [len(tokens)])
    cache = None
    for start, end in [(0, 10), *((at, at + 1) for at in range(10, len(tokens)))]:
        with torch.no_grad():
            out = model(torch.tensor([tokens[start:end]]), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        assert_close(run.step({0: tokens[start:end]})[0], out.logits[0])


def test_bf16_is_as_close_to_fp32_as_transformers_bf16(tmp_path, rng):
    pair(tmp_path, "llama", **WIDE)
    theirs = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    exact = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    decoder = Decoder.load(tmp_path, torch.bfloat16)
    tokens = prompts(rng, [120])[0]
    reference = oracle(exact, tokens)

    def error(logits):
        return (logits.float() - reference).square().mean().sqrt().item()

    run = PagedRun(decoder, [len(tokens)], block_size=16)
    found = [run.step({0: tokens[:70]})[0]]
    found += [run.step({0: [token]})[0] for token in tokens[70:]]
    assert error(torch.cat(found)) < 1.2 * error(oracle(theirs, tokens))


def test_fp16_weights_are_multiplied_exactly_on_the_cpu(tmp_path, rng):
    model, _ = pair(tmp_path, "llama", **WIDE)
    model.half().float().save_pretrained(tmp_path)  # weights that fp16 can hold
    decoder = Decoder.load(tmp_path, torch.float16)
    if decoder.dtype != torch.float32:
        pytest.skip("this processor multiplies fp16 with fp16")
    tokens = prompts(rng, [50])[0]
    exact = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert_close(PagedRun(decoder, [50]).step({0: tokens})[0], oracle(exact, tokens))
