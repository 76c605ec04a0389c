"""Replies that do not repeat what was said."""

from __future__ import annotations

import pytest
from townsfolk.engine.rules import ReplyRules
from townsfolk.sampling import SamplingParams

PROMPT = "The innkeeper pours a mug"


def greedy(**fields):
    return SamplingParams(**({"temperature": 0, "max_new_tokens": 40} | fields))


def few(**fields):
    """Draws mostly four tokens, so that the same ones come again and again."""
    bias = dict.fromkeys((60, 61, 62, 63), 60.0)
    base = {"temperature": 5.0, "seed": 3, "logit_bias": bias, "max_new_tokens": 80}
    return SamplingParams(**(base | fields))


def windows(token_ids, count):
    return [tuple(token_ids[n : n + count]) for n in range(len(token_ids) - count + 1)]


@pytest.fixture
async def engine(start):
    return start()


async def said(engine, params, *lines, **options):
    rules = ReplyRules(own_lines=lines)
    return (await engine.submit(PROMPT, params, rules=rules, **options).result()).token_ids


async def test_so_many_tokens_in_a_row_come_once(engine):
    free = await said(engine, few())
    assert len({*windows(free, 3)}) < len(windows(free, 3)) - 10
    held = await said(engine, few(no_repeat_tokens=3))
    assert len({*windows(held, 3)}) == len(windows(held, 3))
    first = next(n for n in range(len(free)) if free[n] != held[n])
    assert (*held[first - 2 : first], free[first]) in windows(held[:first], 3)


async def test_earlier_lines_do_not_come_again_and_the_prompt_does_not_count(engine):
    free = await said(engine, greedy(max_new_tokens=6))
    again = await said(engine, greedy(max_new_tokens=6, no_repeat_tokens=4), free)
    assert not {*windows(again, 4)} & {*windows(free, 4)}
    assert again[:3] == free[:3]
    # What the model is told is not counted.
    prompt = engine.encode(PROMPT) + list(free)
    params = greedy(max_new_tokens=6)
    for extra in ({}, {"no_repeat_tokens": 2}):
        rules = ReplyRules(penalizes_prompt=False)
        told = await engine.submit(
            prompt, SamplingParams(**{"temperature": 0, "max_new_tokens": 1, **extra}), rules=rules
        ).result()
        first = told.token_ids
        assert first == (await engine.submit(prompt, params, rules=rules).result()).token_ids[:1]


async def test_dry_is_stronger_the_more_repeats(engine):
    repeated = [
        len(windows(ids, 4)) - len({*windows(ids, 4)})
        for multiplier in (0.0, 1.0, 10.0)
        if (ids := await said(engine, few(dry_multiplier=multiplier, dry_base=4.0)))
    ]
    assert repeated[0] > repeated[1] > repeated[2] - 1
    assert repeated[0] > 3 * repeated[2]


async def test_who_shares_a_batch_changes_nothing(engine):
    lines = [await said(engine, greedy(max_new_tokens=12, temperature=1.0, seed=n)) for n in (1, 2)]
    asked = [greedy(no_repeat_tokens=3), greedy(dry_multiplier=2.0), greedy(), greedy(top_k=9)]
    alone = [await said(engine, params, *lines) for params in asked]
    rules = ReplyRules(own_lines=tuple(lines))
    together = [engine.submit(PROMPT, params, rules=rules) for params in asked]
    assert [(await each.result()).token_ids for each in together] == alone
