"""Compiled steps with prompts on the CPU, against what the blocks stand for in fp32."""

from dataclasses import replace

import pytest
import torch
from paged_scene import SMALL, Scene
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec
from townsfolk.models.mixes import MIXES, Mix
from townsfolk.models.step_choice import compile_prompts, compile_steps
from townsfolk_kernels.cpu import linear as linear_cpu

SIZES = SMALL | {"hidden_size": 256, "intermediate_size": 512}
KINDS = {
    "llama": {},
    "every head its keys": {"num_key_value_heads": 4},
    "biases": {"architectures": ["Qwen2ForCausalLM"]},
    "window": {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "sliding_window": 40,
    },
    "norms of heads": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"},
    "norms after blocks": {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "query_pre_attn_scalar": 32,
        "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": 24,
        "layer_types": ["sliding_attention", "full_attention"],
    },
}


def in_blocks(mix="q8_0", **changes):
    spec = named_spec("llama-tiny", **SIZES | changes)
    return Decoder.random(spec, torch.bfloat16, mix=MIXES[mix])


def whole_prompts(scene):
    prompts = zip(scene.tokens, scene.tables, strict=True)
    return ModelBatch.build([Chunk(tokens, 0, table) for tokens, table in prompts], 16)


def whole(scene):
    """What compiled steps make of all tokens at once, a row each."""
    return compile_prompts(scene.decoder, scene.kv).forward(whole_prompts(scene)).clone()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mix", ["q8_0", "q4_k_m"])
def test_prompts_are_those_of_the_decoder(mix, kind):
    decoder = in_blocks(mix, **KINDS[kind])
    scene = Scene(decoder, (30, 1, 7, 100, 15, 16, 129))
    exact = Decoder.random(decoder.spec, torch.float32, mix=MIXES[mix])
    beside = Scene(exact, scene.lengths)
    beside.tokens = scene.tokens
    expected = exact.forward(whole_prompts(beside), beside.kv)
    assert (whole(scene) - expected).norm() < 0.03 * expected.norm()


class HeadAsNumbers(Mix):
    """As in files of GPTQ and AWQ."""

    def format_of(self, tensor, spec):
        is_head = tensor.name in ("token_embd.weight", "output.weight")
        return None if is_head else super().format_of(tensor, spec)


def test_a_head_of_numbers():
    q8_0 = MIXES["q8_0"]
    spec = named_spec("llama-tiny", **SIZES)
    decoder = Decoder.random(spec, torch.bfloat16, mix=HeadAsNumbers(q8_0.base, q8_0.head))
    scene = Scene(decoder, (30, 100))
    expected = decoder.logits(decoder.forward(whole_prompts(scene), scene.kv))
    assert (decoder.logits(whole(scene)) - expected).norm() < 0.03 * expected.norm()


def test_pages_in_fp32(monkeypatch):
    """As where a processor multiplies no bf16."""
    monkeypatch.setattr(linear_cpu, "packed_dtypes", lambda: {torch.bfloat16: torch.float32})
    scene = Scene(in_blocks(), (30, 1, 100))
    assert scene.kv.k[0].dtype == torch.float32
    exact = Decoder.random(scene.decoder.spec, torch.float32, mix=MIXES["q8_0"])
    beside = Scene(exact, scene.lengths)
    beside.tokens = scene.tokens
    expected = exact.forward(whole_prompts(beside), beside.kv)
    assert (whole(scene) - expected).norm() < 0.03 * expected.norm()


@pytest.mark.parametrize("block_size", [1, 7, 64])
def test_blocks_of_any_size(block_size):
    decoder = in_blocks()
    scene, usual = Scene(decoder, (30, 70), block_size), Scene(decoder, (30, 70))
    usual.tokens = scene.tokens
    steps = compile_prompts(decoder, scene.kv)
    prompts = zip(scene.tokens, scene.tables, strict=True)
    batch = ModelBatch.build([Chunk(tokens, 0, table) for tokens, table in prompts], block_size)
    assert torch.equal(steps.forward(batch), whole(usual))


@pytest.mark.parametrize("kind", ["llama", "window"])
def test_a_prompt_has_the_same_bits_in_any_chunks(kind):
    scene = Scene(in_blocks(**KINDS[kind]), (200,))
    expected = whole(scene)
    steps = compile_prompts(scene.decoder, scene.kv)
    found, begin = [], 0
    for count in (1, 40, 64, 31, 65):
        chunk = Chunk(scene.tokens[0][begin : begin + count], begin, scene.tables[0])
        found.append(steps.forward(ModelBatch.build([chunk], 16)).clone())
        begin += count
    assert torch.equal(torch.cat(found), expected)


def test_who_decodes_has_the_same_bits_beside_prompts():
    scene = Scene(in_blocks(), (600, 20, 90))
    decoder = scene.decoder
    alone = compile_steps(decoder, scene.kv).logits(scene.next_tokens([0, 1])).clone()
    chunks = [
        Chunk(scene.tokens[row][-1:], scene.lengths[row], scene.tables[row]) for row in (0, 1)
    ]
    batch = ModelBatch.build([*chunks, Chunk(scene.tokens[2], 0, scene.tables[2])], 16)
    batch.layout = replace(batch.layout, singles=2)
    found = decoder.logits(compile_prompts(decoder, scene.kv).forward(batch)[:2])
    assert torch.equal(found, alone)


def test_others_can_read_pages_that_a_prompt_began():
    """They read whole pages: what stands behind a sequence's last position must be finite."""
    scene = Scene(in_blocks(), (20,))
    for pages in scene.kv.v:
        pages.fill_(torch.nan)
    whole(scene)
    batch = ModelBatch.build([Chunk([5], 21, scene.tables[0])], 16)
    assert scene.decoder.forward(batch, scene.kv).isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads):
    scene = Scene(in_blocks(), (30, 150))
    expected, usual = whole(scene), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for _ in range(5):
            assert torch.equal(whole(scene), expected)
    finally:
        torch.set_num_threads(usual)


def test_weights_as_numbers_are_left_to_the_operations():
    decoder = Decoder.random(named_spec("llama-tiny", **SIZES), torch.bfloat16)
    scene = Scene(decoder, (5,))
    assert compile_steps(decoder, scene.kv) is not None
    assert compile_prompts(decoder, scene.kv) is None
