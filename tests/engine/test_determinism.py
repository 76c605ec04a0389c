"""The same seed gives the same text, whatever else runs."""

import asyncio
import random
from functools import partial

import pytest
from townsfolk.engine.runner import EagerRunner
from townsfolk.sampling import SamplingParams

VARIED = [
    {},
    {"temperature": 1.3, "top_k": 0, "top_p": 1.0},
    {"top_p": 0.7, "min_p": 0.02},
    {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.2},
    {"logit_bias": {5: 4.0, 9: -100.0}, "min_new_tokens": 10},
]


@pytest.fixture
def requests(prompts):
    """32 requests with prompts, parameters and lengths of all kinds."""
    choose = random.Random(1)
    return [
        (
            prompts[n % len(prompts)],
            SamplingParams(
                seed=choose.getrandbits(64),
                max_new_tokens=choose.randrange(50, 100),
                **VARIED[n % len(VARIED)],
            ),
        )
        for n in range(32)
    ]


@pytest.mark.parametrize("depth", [1, 2], ids=["in step", "one step ahead"])
@pytest.mark.parametrize(
    ("settings", "preempts"),
    [
        ({}, False),
        ({"step_token_budget": 32, "max_batch": 32, "block_size": 4}, False),
        ({"kv_memory_mib": 1, "block_size": 8}, True),
    ],
    ids=["roomy", "chunked", "preempted"],
)
async def test_a_seed_gives_the_same_text_alone_and_in_a_batch_of_32(
    start, requests, settings, preempts, depth, monkeypatch
):
    alone = start()
    expected = [await alone.generate(prompt, params) for prompt, params in requests]
    monkeypatch.setattr("townsfolk.engine.engine.EagerRunner", partial(EagerRunner, depth=depth))
    engine = start(**settings)
    together = await asyncio.gather(*(engine.generate(*request) for request in requests))
    assert [r.token_ids for r in together] == [r.token_ids for r in expected]
    assert [r.text for r in together] == [r.text for r in expected]
    assert (engine.stats().preemptions_total > 0) is preempts
    again = await asyncio.gather(*(engine.generate(*request) for request in requests))
    assert [r.text for r in again] == [r.text for r in expected]
    assert sum(r.usage.cached_tokens for r in again) > 0


async def test_a_seed_that_was_drawn_is_reported_and_repeats_the_text(start, prompts):
    engine = start()
    first = await engine.generate(prompts[3], SamplingParams(max_new_tokens=30))
    other = await engine.generate(prompts[3], SamplingParams(max_new_tokens=30))
    assert first.usage.seed != other.usage.seed
    assert first.token_ids != other.token_ids
    again = SamplingParams(max_new_tokens=30, seed=first.usage.seed)
    assert (await engine.generate(prompts[3], again)).token_ids == first.token_ids
