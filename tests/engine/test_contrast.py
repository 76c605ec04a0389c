"""Replies drawn in contrast to another prompt, against transformers."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
import torch
from townsfolk.engine.errors import InvalidPromptError, PromptTooLongError
from townsfolk.engine.rules import Contrast, ReplyRules
from townsfolk.grammar import Grammar
from townsfolk.sampling.params import SamplingParams


def some(choose: random.Random, oracle, count: int) -> list[int]:
    return [choose.randrange(oracle.config.vocab_size - 5) for _ in range(count)]


def expected(oracle, prompt, other, strength, count):
    """The greedy reply by transformers in fp32, without a cache."""
    reply: list[int] = []
    for _ in range(count):
        with torch.inference_mode():
            own, against = (
                oracle(torch.tensor([[*ids, *reply]])).logits[0, -1].float().log_softmax(-1)
                for ids in (prompt, other)
            )
        moved = own + strength * (own - against)
        moved[own < own.max() + math.log(0.1)] -= 1e4
        moved[oracle.generation_config.eos_token_id] = -torch.inf
        reply.append(int(moved.argmax()))
    return reply


def submit(engine, prompt, other, strength, **params):
    fields = {"temperature": 0.0, "max_new_tokens": 12} | params
    fields = {"min_new_tokens": fields["max_new_tokens"]} | fields
    rules = ReplyRules(contrast=Contrast(tuple(other), strength))
    return engine.submit(prompt, SamplingParams(**fields), rules=rules)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"step_token_budget": 8, "max_batch": 8},
        {"kv_memory_mib": 1, "block_size": 4, "max_batch": 6},
    ],
    ids=["roomy", "chunked", "short of memory"],
)
async def test_replies_are_those_of_transformers(start, oracle, settings):
    engine = start(dtype="float32", **settings)
    choose = random.Random(3)
    shared = some(choose, oracle, 40)
    cases = [
        ([*shared, *some(choose, oracle, n)], [*shared[:m], *some(choose, oracle, n)], strength)
        for n, m, strength in [(1, 40, 0.5), (9, 3, 2.0), (30, 20, 1.0), (2, 0, 8.0)]
    ]
    beside = [
        engine.submit(some(choose, oracle, 30), SamplingParams(max_new_tokens=20)) for _ in range(3)
    ]
    found = await asyncio.gather(*(submit(engine, *case).result() for case in cases))
    again = await asyncio.gather(*(submit(engine, *case).result() for case in cases))
    for case, one, other in zip(cases, found, again, strict=True):
        wanted = expected(oracle, *case, 12)
        assert list(one.token_ids) == wanted
        assert list(other.token_ids) == wanted
        assert one.usage.generated_tokens == 12
    await asyncio.gather(*(each.result() for each in beside))


async def test_preempted_pairs_go_on_as_if_nothing_had_happened(start, oracle):
    engine = start(dtype="float32", kv_memory_mib=1, block_size=4, max_batch=8)
    choose = random.Random(4)
    cases = [(some(choose, oracle, 60), some(choose, oracle, 50), 1.0) for _ in range(4)]
    pairs = [submit(engine, *case, max_new_tokens=200) for case in cases]
    for each in pairs:
        await anext(aiter(each))
    urgent = [
        engine.submit(some(choose, oracle, 300), SamplingParams(max_new_tokens=60), priority=9)
        for _ in range(4)
    ]
    await asyncio.gather(*(each.result() for each in urgent))
    found = [list((await each.result()).token_ids) for each in pairs]
    roomy = start(dtype="float32")
    for case, reply in zip(cases, found, strict=True):
        alone = await submit(roomy, *case, max_new_tokens=200).result()
        assert reply == list(alone.token_ids)
    assert engine.stats().preemptions_total > 0


async def test_seeded_draws_and_grammars_keep_to_their_rules(start, oracle):
    engine = start(dtype="float32")
    prompt, other = some(random.Random(5), oracle, 20), some(random.Random(6), oracle, 20)
    seeded = {"temperature": 1.0, "seed": 7, "logprobs": 2}
    one = await submit(engine, prompt, other, 1.0, **seeded).result()
    two = await submit(engine, prompt, other, 1.0, **seeded).result()
    assert one.token_ids == two.token_ids
    rules = ReplyRules(contrast=Contrast(tuple(other), 3.0))
    grammar = await engine.compile(Grammar.choices(["a long answer indeed", "no"]))
    bound = engine.submit("And?", SamplingParams(max_new_tokens=40), rules=rules, grammar=grammar)
    assert (await bound.result()).text in ("a long answer indeed", "no")


async def test_an_interrupted_pair_leaves_nothing(start, oracle):
    engine = start()
    choose = random.Random(8)
    for _ in range(5):
        generation = submit(
            engine, some(choose, oracle, 30), some(choose, oracle, 9), 1.0, max_new_tokens=400
        )
        async for _ in generation:
            generation.cancel()
        await engine.check()
    assert engine.stats().running == 0


async def test_what_can_t_be_contrasted(start):
    engine = start(max_batch=2, kv_memory_mib=1)
    for other, strength, message in [
        ([], 1.0, "empty"),
        ([10**9], 1.0, "token ids"),
        ([1], 0.0, "strength"),
        ([1], math.nan, "strength"),
        ([1], 1e9, "strength"),
    ]:
        with pytest.raises(InvalidPromptError, match=message):
            submit(engine, [1, 2], other, strength)
    with pytest.raises(PromptTooLongError):
        submit(engine, [1, 2], [1] * 100_000, 1.0)
    with pytest.raises(InvalidPromptError, match="max_batch"):
        submit(start(max_batch=1), [1, 2], [1], 1.0)
    rules = ReplyRules(contrast=Contrast((1,), 1.0))
    with pytest.raises(InvalidPromptError, match="nothing is drawn"):
        engine.submit([1, 2], rules=rules, scored_from=1)
    await engine.check()
