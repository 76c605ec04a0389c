"""Greedy text on the GPU is that of the fp32 CPU reference, on the starter model."""

import asyncio
import random

import pytest
import torch
from townsfolk.checkpoint import resolve
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch
from townsfolk.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0, max_new_tokens=48)
# How far bf16 moves the difference of two logits of this model: 8 bits of mantissa through 6
# layers; the largest seen where the texts part is 0.21, of logits that spread over 20.
ROUNDING = 0.4


async def complete(device, dtype, prompts, params):
    settings = EngineSettings(device=device, dtype=dtype, kv_memory_mib=256)
    engine = Engine.from_pretrained("starter", settings)
    found = await asyncio.gather(*(engine.generate(prompt, params) for prompt in prompts))
    await engine.check()
    await engine.aclose()
    return [completion.token_ids for completion in found]


@pytest.fixture(scope="module")
def prompts():
    draw = random.Random(0)
    return [[draw.randrange(5, 4096) for _ in range(draw.randint(3, 200))] for _ in range(64)]


async def test_fp32_is_equal(prompts):
    expected = await complete("cpu", "float32", prompts, GREEDY)
    assert await complete("cuda", "float32", prompts, GREEDY) == expected


async def test_bf16_parts_only_where_rounding_decides(prompts):
    directory = resolve("starter")
    decoder = Decoder.load(directory, torch.float32)
    expected = await complete("cpu", "float32", prompts, GREEDY)
    found = await complete("cuda", "bfloat16", prompts, GREEDY)
    equal = sum(a == b for a, b in zip(expected, found, strict=True))
    assert equal >= 40
    for prompt, ours, theirs in zip(prompts, expected, found, strict=True):
        if ours == theirs:
            continue
        place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
        ids = [*prompt, *ours[:place]]
        blocks = list(range(-(-len(ids) // 16)))
        kv = KvCache.allocate(decoder.config, len(blocks), 16, decoder.dtype, decoder.device)
        batch = ModelBatch.build([Chunk(ids, 0, blocks)], 16)
        logits = decoder.logits(decoder.forward(batch, kv)[-1:])[0]
        assert logits[ours[place]] - logits[theirs[place]] < ROUNDING


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=0.9, top_k=40, top_p=0.95, seed=7, max_new_tokens=32),
        SamplingParams(temperature=0.9, top_k=0, top_p=0.9, seed=7, max_new_tokens=32),
        SamplingParams(top_k=20, repetition_penalty=1.2, seed=7, logprobs=2, max_new_tokens=32),
        SamplingParams(top_k=20, seed=7, min_new_tokens=32, max_new_tokens=32),
    ],
    ids=["in the kernel", "nucleus", "penalties", "least length"],
)
async def test_draws_are_those_of_the_cpu(prompts, params):
    expected = await complete("cpu", "float32", prompts[:16], params)
    assert await complete("cuda", "float32", prompts[:16], params) == expected


async def test_short_of_memory_and_cancelled_requests_change_no_text(prompts):
    expected = await complete("cuda", "float32", prompts, GREEDY)
    settings = EngineSettings(device="cuda", dtype="float32", kv_memory_mib=4, max_batch=9)
    engine = Engine.from_pretrained("starter", settings)

    async def leaves(prompt):
        generation = engine.submit(prompt, SamplingParams(max_new_tokens=300))
        async for _ in generation:
            break
        generation.cancel()

    found, _ = await asyncio.gather(
        asyncio.gather(*(engine.generate(prompt, GREEDY) for prompt in prompts)),
        asyncio.gather(*(leaves(prompt) for prompt in prompts[:8])),
    )
    await engine.check()
    await engine.aclose()
    assert [completion.token_ids for completion in found] == expected
