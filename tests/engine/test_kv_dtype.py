"""An engine whose keys and values are 8 bits: twice the tokens, nearly the same logits."""

import pytest
import torch
from pydantic import ValidationError
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.errors import UnfitSettingError
from townsfolk.engine.memory import MemoryPlan
from townsfolk.kv import KvCache
from townsfolk.kv.cache import block_bytes
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec
from townsfolk.sampling import SamplingParams
from townsfolk_kernels.pages import QUANTIZED, scales_of

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
    assert [plan.kv_dtype for plan in plans] == [torch.bfloat16, QUANTIZED]
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


async def test_a_prefix_is_found_again_and_says_the_same():
    settings = EngineSettings(device="cpu", kv_dtype="int8", threads=1, kv_memory_mib=8)
    engine = Engine.from_pretrained("starter", settings)
    try:
        params = SamplingParams(temperature=0.0, max_new_tokens=12)
        # Not so close a call that rounding decides it, which differs where pages are found.
        text = "Mira Holloway says: Welcome to the Salted Herring, traveller. " * 6
        first = await engine.generate(text, params)
        again = await engine.generate(text, params)
        assert again.text == first.text
        assert again.usage.cached_tokens > 0
        assert engine.stats().kv_blocks_cached > 0
        await engine.check()
    finally:
        await engine.aclose()


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
