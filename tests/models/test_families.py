"""Every family against Hugging Face transformers on random small models, in fp32."""

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, oracle, randomise, usual_fields, write_model
from paged import PagedRun
from safetensors.torch import load_file, save_file
from townsfolk.models import Decoder, UnsupportedModelError, read_config
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

TOLERANCE = 1e-4
LENGTHS = (1, 2, 5, 16, 33, 61)
GRID = [
    pytest.param(name, changes, id=f"{name}, {case}")
    for name, family in FAMILIES.items()
    for case, changes in {"usual": {}, **family.grid}.items()
]
WINDOWED = [name for name, family in FAMILIES.items() if family.windowed is not None]


def prompts(rng, lengths=LENGTHS):
    return [[rng.randrange(VOCABULARY) for _ in range(length)] for length in lengths]


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert (found - expected).abs().max().item() < TOLERANCE


def close_in_chunks(model, decoder, rng, sequences):
    """Prefill chunks and decoding, mixed at random."""
    run = PagedRun(decoder, [len(tokens) for tokens in sequences])
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


@pytest.mark.parametrize(("name", "changes"), GRID)
def test_logits_equal_transformers(tmp_path, rng, name, changes):
    model = write_model(name, tmp_path, **changes)
    decoder = Decoder.load(tmp_path, torch.float32)
    assert decoder.num_parameters == model.num_parameters()
    # LongRoPE's long factors are those of sequences that reach past the original context.
    original = changes.get("original_max_position_embeddings", 0)
    lengths = (original + 8, original + 40) if 0 < original < 128 else LENGTHS
    close_in_chunks(model, decoder, rng, prompts(rng, lengths))


@pytest.mark.parametrize("name", WINDOWED)
def test_windows(tmp_path, rng, name):
    model = write_model(name, tmp_path, **FAMILIES[name].windowed)
    decoder = Decoder.load(tmp_path, torch.float32)
    assert {layer.attention.window for layer in decoder.spec.layers} & {8}
    close_in_chunks(model, decoder, rng, prompts(rng))


@pytest.mark.parametrize("name", FAMILIES)
def test_bf16_is_as_close_to_fp32_as_transformers_bf16(tmp_path, rng, name):
    exact = write_model(name, tmp_path, hidden_size=128, initializer_range=0.06)
    theirs = type(exact).from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    decoder = Decoder.load(tmp_path, torch.bfloat16)
    tokens = prompts(rng, [60])[0]
    reference = oracle(exact, tokens)

    def error(logits):
        return (logits.float() - reference).square().mean().sqrt().item()

    run = PagedRun(decoder, [len(tokens)], block_size=16)
    found = [run.step({0: tokens[:40]})[0]]
    found += [run.step({0: [token]})[0] for token in tokens[40:]]
    assert error(torch.cat(found)) < 1.2 * error(oracle(theirs, tokens))


def test_the_text_decoder_inside_a_model_that_sees(tmp_path, rng):
    """Gemma 3 from 4B on: the file's names are those of the whole model, the rest is not read."""
    text = {
        name: value
        for name, value in usual_fields("gemma3").items()
        if name != "attn_implementation"
    }
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    model = Gemma3ForConditionalGeneration(config).eval()
    randomise(model)
    model.save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, torch.float32)
    close_in_chunks(model, decoder, rng, prompts(rng, (5, 33)))


def test_gpt2_as_its_makers_saved_it(tmp_path, rng):
    """Names have no root, and the causal mask is a tensor."""
    model = write_model("gpt2", tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = {name.removeprefix("transformer."): each for name, each in load_file(path).items()}
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 128, 128).tril()
    save_file(tensors, path)
    decoder = Decoder.load(tmp_path, torch.float32)
    close_in_chunks(model, decoder, rng, prompts(rng, (5, 33)))


HYBRID = {"num_local_experts": 0, "layer_types": ["attention"] * 2}
LONG = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [1.0] * 3}


@pytest.mark.parametrize(
    ("architecture", "fields", "reason"),
    [
        ("Qwen3MoeForCausalLM", {}, "names Qwen3MoeForCausalLM; supported are"),
        ("Qwen2ForCausalLM", {"rope_scaling": {"type": "mrope"}}, "rope_type is 'mrope'"),
        ("Qwen3ForCausalLM", {"layer_types": ["linear_attention"] * 2}, "names linear_attention"),
        ("Qwen3ForCausalLM", {"quantization_config": {"quant_method": "hqq"}}, r"\(hqq\)"),
        ("Gemma3ForCausalLM", {"use_bidirectional_attention": True}, "only causal attention"),
        ("Gemma3ForCausalLM", {"hidden_activation": "mish"}, "hidden_act is 'mish'"),
        (
            "SmolLM3ForCausalLM",
            {"no_rope_layers": [1]},
            "no_rope_layers has 1 entries for 2 layers",
        ),
        ("GraniteMoeHybridForCausalLM", {"num_local_experts": 0}, "layer_types names mamba"),
        ("GraniteMoeHybridForCausalLM", {**HYBRID, "num_local_experts": 8}, "mixture of experts"),
        (
            "GraniteMoeHybridForCausalLM",
            {**HYBRID, "position_embedding_type": "alibi"},
            "position_embedding_type is 'alibi'",
        ),
        ("Phi3ForCausalLM", {"rope_scaling": LONG}, "long_factor has 3 entries; 4 are needed"),
        ("Phi3ForCausalLM", {"partial_rotary_factor": 0.2}, "rotates 1 of 8 dimensions"),
        ("GPT2LMHeadModel", {"n_embd": 64, "add_cross_attention": True}, "only decoders"),
        ("GPT2LMHeadModel", {"n_embd": 63, "n_head": 9}, "head_dim is 7"),
        ("LlamaForCausalLM", {"partial_rotary_factor": 0.5}, "this family has none"),
    ],
)
def test_what_a_family_can_not_do_is_refused_with_the_reason(architecture, fields, reason):
    shape = {
        "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": None,
    }  # fmt: skip
    with pytest.raises(UnsupportedModelError, match=reason):
        read_config({**shape, "architectures": [architecture], **fields})
