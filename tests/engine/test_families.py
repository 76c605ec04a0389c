"""Greedy text of every family through the engine, against transformers."""

import asyncio
import random
from functools import cache, partial

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, make_model
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, FinishReason
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

NEW = 64
GREEDY = SamplingParams(temperature=0, max_new_tokens=NEW, min_new_tokens=NEW)
# Keys and values of all requests at once do not fit.
TIGHT = {"kv_memory_mib": 1, "block_size": 4}


def greedy(model, prompt):
    """Greedy tokens after a prompt, by transformers; ends are not taken."""
    ids = list(prompt)
    cache = None
    for _ in range(NEW):
        with torch.inference_mode():
            given = ids if cache is None else ids[-1:]
            out = model(torch.tensor([given]), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        scores = out.logits[0, -1].clone()
        scores[2] = -torch.inf
        ids.append(int(scores.argmax()))
    return tuple(ids[len(prompt) :])


def some(choose, count):
    return [choose.randrange(3, VOCABULARY) for _ in range(count)]


@pytest.fixture(scope="module", params=FAMILIES)
def served(request, tmp_path_factory):
    """A model, with a window where the family has one: its replies in transformers, its decoder."""
    family = FAMILIES[request.param]
    changes = {"max_position_embeddings": 512, **(family.windowed or {})}
    model = make_model(request.param, **changes)
    directory = tmp_path_factory.mktemp("model")
    model.save_pretrained(directory)
    return cache(partial(greedy, model)), Decoder.load(directory, torch.float32)


@pytest.mark.parametrize(
    ("settings", "preempts"), [({"kv_memory_mib": 8}, False), (TIGHT, True)], ids=["roomy", "tight"]
)
async def test_greedy_text_is_that_of_transformers(served, settings, preempts):
    """They join one after the other, and some begin alike; or all at once, and are preempted."""
    reply_of, decoder = served
    choose = random.Random(3)
    shared = some(choose, 70)
    prompts = [some(choose, count) for count in (1, 16, 33, 100)]
    prompts += [shared[:cut] + some(choose, count) for cut, count in ((70, 9), (64, 1), (70, 0))]
    if preempts:
        prompts *= 6
    settings = EngineSettings(device="cpu", threads=1, **settings)
    engine = Engine(decoder, None, settings, name="tiny")

    async def say(number, prompt):
        if not preempts:
            await asyncio.sleep(0.01 * number)
        # Copies of a prompt in other namespaces don't share its keys and values.
        return await engine.generate(prompt, GREEDY, namespace=str(number // 7))

    replies = await asyncio.gather(*(say(n, prompt) for n, prompt in enumerate(prompts)))
    for prompt, reply in zip(prompts, replies, strict=True):
        assert reply.token_ids == reply_of(tuple(prompt))
        assert reply.finish_reason is FinishReason.LENGTH
    stats = engine.stats()
    assert (stats.preemptions_total > 0) is preempts
    assert preempts or stats.cached_tokens_total > 0
    await engine.check()
    await engine.aclose()


async def test_a_prompt_of_several_windows_has_the_same_text_each_time(served):
    """Blocks that a window has left behind are found again by the next one like it."""
    reply_of, decoder = served
    prompt = some(random.Random(5), 40)
    engine = Engine(
        decoder, None, EngineSettings(device="cpu", threads=1, kv_memory_mib=8), name="tiny"
    )
    texts = [(await engine.generate(prompt, GREEDY)).token_ids for _ in range(4)]
    assert texts == [reply_of(tuple(prompt))] * 4
    await engine.check()
    await engine.aclose()
