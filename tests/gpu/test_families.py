"""Every family on the GPU: decode steps in graphs, prompts beside them, against the CPU's text."""

import asyncio
import random

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, make_model
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0, max_new_tokens=48, min_new_tokens=48)


async def complete(decoder, prompts):
    settings = EngineSettings(kv_memory_mib=64)
    engine = Engine(decoder, None, settings, name="tiny")

    async def say(number, prompt):
        await asyncio.sleep(0.02 * number)
        return await engine.generate(prompt, GREEDY)

    replies = [await asyncio.gather(*(say(*each) for each in enumerate(prompts))) for _ in range(3)]
    await engine.check()
    await engine.aclose()
    return [[reply.token_ids for reply in each] for each in replies]


@pytest.mark.parametrize("name", FAMILIES)
async def test_fp32_text_is_that_of_the_cpu(tmp_path, name):
    """Three times: operation by operation until the graphs are there, then in graphs."""
    changes = {"max_position_embeddings": 512, "head_dim": 16, **(FAMILIES[name].windowed or {})}
    if name in ("phi3", "gpt2", "granite", "granite 4"):
        changes["hidden_size"] = 64
        del changes["head_dim"]
    make_model(name, **changes).save_pretrained(tmp_path)
    choose = random.Random(3)
    counts = (1, 15, 33, 100, 200, 7, 64)
    prompts = [[choose.randrange(3, VOCABULARY) for _ in range(count)] for count in counts]
    expected = await complete(Decoder.load(tmp_path, torch.float32), prompts)
    found = await complete(Decoder.load(tmp_path, torch.float32, "cuda"), prompts)
    assert found == expected
