"""An engine whose keys and values are 8 bits: twice the tokens, nearly the same logits."""

import pytest
import torch
from pydantic import ValidationError
from townsfolk.config import EngineSettings
from townsfolk.engine.errors import UnfitSettingError
from townsfolk.engine.memory import MemoryPlan
from townsfolk.kv import KvCache
from townsfolk.kv.cache import block_bytes
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec
from townsfolk.sampling import SamplingParams
from townsfolk_kernels import activation_dtype
from townsfolk_kernels.pages import QUANTIZED, quantize_rows, scales_of

CPU = torch.device("cpu")
FAMILIES = ["llama-tiny", "smollm2-135m", "qwen3-0.6b", "gemma-3-1b", "smollm3-3b"]


def small(name):
    """A model of a family, small enough for a test."""
    gemma = {"sliding_window": 24} if name.startswith("gemma") else {}
    return named_spec(
        name, num_hidden_layers=4, hidden_size=128, intermediate_size=192, vocab_size=300,
        num_attention_heads=4, num_key_value_heads=2, head_dim=32, bos_token_id=1, eos_token_id=2,
        **gemma,
    )  # fmt: skip


def logits(decoder, kv, prompt, new):
    """[tokens, vocab] of a prompt in two chunks, then token by token."""
    blocks = list(range(kv.num_blocks))
    parts = [part for part in (prompt[:21], prompt[21:]) if part] + [[token] for token in new]
    done, found = 0, []
    for tokens in parts:
        batch = ModelBatch.build([Chunk(tokens, done, blocks)], kv.block_size, CPU)
        found.append(decoder.logits(decoder.forward(batch, kv)))
        done += len(tokens)
    return torch.cat(found)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_stay_near_those_of_numbers(name):
    spec = small(name)
    torch.manual_seed(1)
    decoder = Decoder.random(spec, torch.float32, CPU)
    prompt, new = torch.randint(3, 300, (60,)).tolist(), torch.randint(3, 300, (12,)).tolist()
    of = {
        dtype: logits(decoder, KvCache.allocate(spec, 8, 16, dtype, CPU), prompt, new)
        for dtype in (torch.float32, QUANTIZED)
    }
    off = (of[QUANTIZED] - of[torch.float32]).norm() / of[torch.float32].norm()
    assert 0 < off < 0.02


def test_a_token_takes_little_more_than_half():
    spec = named_spec("llama-3.1-8b")
    wide, narrow = block_bytes(spec, 16, torch.bfloat16), block_bytes(spec, 16, QUANTIZED)
    assert narrow / wide == (128 + 4) / 256
    plans = [
        MemoryPlan.make(spec, torch.bfloat16, CPU, EngineSettings(kv_dtype=kind, device="cpu"))
        for kind in ("auto", "int8")
    ]
    # A processor that can't multiply bf16 keeps fp32.
    assert [plan.kv_dtype for plan in plans] == [activation_dtype(torch.bfloat16, CPU), QUANTIZED]
    assert plans[1].num_blocks / plans[0].num_blocks > 1.9


def test_a_copied_block_has_its_scales():
    kv = KvCache.allocate(small("llama-tiny"), 4, 16, QUANTIZED, CPU)
    for each in (*kv.k, *kv.v):
        each.random_(-127, 128)
        scales_of(each).uniform_()
    kv.copy_block(1, 3)
    for each in (*kv.k, *kv.v):
        assert torch.equal(each[3], each[1])
        assert torch.equal(scales_of(each)[3], scales_of(each)[1])
        assert not torch.equal(each[2], each[1])


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_found_again_is_what_was_computed(name):
    """Bit for bit: nothing is rounded twice, and the rest of a prompt leaves its beginning alone.

    What that rest then gives differs as it does with pages of numbers: products of fewer rows add
    in another order. Now and then the last bits turn a code of 8 bits, too.
    """
    spec = small(name)
    torch.manual_seed(3)
    decoder = Decoder.random(spec, torch.float32, CPU)
    prompt = torch.randint(3, 300, (49,)).tolist()
    kv, numbers = (KvCache.allocate(spec, 4, 16, kind, CPU) for kind in (QUANTIZED, torch.float32))
    first = logits(decoder, kv, prompt, [])[-1]
    logits(decoder, numbers, prompt, [])
    # The first layer has read no other's pages: its numbers tell what is kept of it.
    for pages, exact in ((kv.k[0], numbers.k[0]), (kv.v[0], numbers.v[0])):
        codes, scales = quantize_rows(exact[:3])
        assert torch.equal(pages[:3], codes)
        assert torch.equal(scales_of(pages)[:3], scales)
    found = [(pages[:3].clone(), scales_of(pages)[:3].clone()) for pages in (*kv.k, *kv.v)]
    rest = ModelBatch.build([Chunk(prompt[48:], 48, range(4))], 16, CPU)
    again = decoder.logits(decoder.forward(rest, kv))[-1]
    for pages, (codes, scales) in zip((*kv.k, *kv.v), found, strict=True):
        assert torch.equal(pages[:3], codes)
        assert torch.equal(scales_of(pages)[:3], scales)
    assert (again - first).norm() / first.norm() < 2e-3


async def test_a_prefix_is_found_again_and_says_the_same(start, prompts):
    """The same log-probabilities, to what rounding turns: a text may hang on less than that."""
    engine = start(kv_dtype="int8")
    params = SamplingParams(temperature=0.0, max_new_tokens=1, logprobs=20)
    said = []
    for _ in range(2):
        generation = engine.submit(prompts[9], params)
        (token,) = [token async for delta in generation for token in delta.tokens]
        said.append(dict(token.top))
    assert generation.completion.usage.cached_tokens == len(prompts[9]) - 1
    assert engine.stats().kv_blocks_cached > 0
    for token_id in said[0].keys() & said[1].keys():
        assert said[1][token_id] == pytest.approx(said[0][token_id], abs=0.05)
    assert len(said[0].keys() & said[1].keys()) > 15


def test_many_at_once_say_what_each_says_alone():
    """Ragged batches on 8-bit pages: shared prefixes, prompts beside decoding."""
    spec = small("llama-tiny")
    torch.manual_seed(2)
    decoder = Decoder.random(spec, torch.float32, CPU)
    prompts = [torch.randint(3, 300, (length,)).tolist() for length in (40, 5, 17)]
    alone = []
    for prompt in prompts:
        kv = KvCache.allocate(spec, 4, 16, QUANTIZED, CPU)
        alone.append(logits(decoder, kv, prompt, [7, 8])[-1])
    kv = KvCache.allocate(spec, 12, 16, QUANTIZED, CPU)
    tables = [[n, n + 3, n + 6, n + 9] for n in range(3)]
    done = [0, 0, 0]
    for step in range(3):
        parts = [prompt if step == 0 else [6 + step] for prompt in prompts]
        chunks = [Chunk(p, d, t) for p, d, t in zip(parts, done, tables, strict=True)]
        hidden = decoder.forward(ModelBatch.build(chunks, 16, CPU), kv)
        done = [d + len(p) for d, p in zip(done, parts, strict=True)]
    found = decoder.logits(hidden)
    for each, expected in zip(found, alone, strict=True):
        assert (each - expected).norm() / expected.norm() < 1e-3


def test_what_cannot_be_is_refused():
    with pytest.raises(ValidationError, match="'auto' or 'int8'"):
        EngineSettings(kv_dtype="fp8")
    spec = named_spec("llama-tiny", head_dim=30)
    with pytest.raises(UnfitSettingError, match="a multiple of 4 values, but this model's have 30"):
        MemoryPlan.make(spec, torch.float32, CPU, EngineSettings(kv_dtype="int8"))
