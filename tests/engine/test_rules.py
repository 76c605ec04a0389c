"""What a reply is held to besides its parameters, and that only whole characters leave."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from townsfolk.engine import DeadlineExceededError, FinishReason
from townsfolk.engine.rules import ReplyRules
from townsfolk.sampling import SamplingParams

PROMPT = "The innkeeper pours a mug"


def greedy(**fields):
    return SamplingParams(**({"temperature": 0, "max_new_tokens": 24} | fields))


@pytest.fixture
async def engine(start):
    return start()


@pytest.fixture
def half(engine) -> int:
    """A token with the first bytes of a character and no more."""
    ids = (engine.tokenizer.encode(letter)[0] for letter in "♖𝄞ඞ")
    return next(i for i in ids if engine.tokenizer.whole_text(i) is None)


async def deltas_of(generation) -> str:
    return "".join([delta.text async for delta in generation])


async def test_half_a_character_is_not_shown_where_the_limit_ends_the_reply(engine, half):
    generation = engine.submit(PROMPT, greedy(max_new_tokens=1, logit_bias={half: 100.0}))
    assert await deltas_of(generation) == generation.completion.text == ""
    assert generation.completion.token_ids == (half,)
    assert generation.completion.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("how", ["cancel", "deadline"])
async def test_half_a_character_is_not_shown_where_the_reply_is_cut_off(engine, half, how):
    # A letter or half a character, again and again: the last is half of one half of the time.
    letter = engine.tokenizer.encode("e")[0]
    params = greedy(max_new_tokens=500, logit_bias={letter: 100.0, half: 100.0}, temperature=5.0)
    text = ""
    for deadline_s in (0.3, 1, 4, 16):  # until one is long enough for a first token
        generation = engine.submit(
            PROMPT, params, deadline_s=deadline_s if how != "cancel" else None
        )
        with suppress(DeadlineExceededError):
            async for delta in generation:
                text += delta.text
                if how == "cancel" and len(text) > 20:
                    generation.cancel()
            break
    completion = generation.completion
    whole = engine.tokenizer.decode(completion.token_ids)
    if completion.token_ids[-1] == half:
        whole = whole[:-1]
    assert text == completion.text == whole


async def test_half_a_character_is_shown_where_the_model_ends_so(engine, half):
    end = engine.tokenizer.special_tokens["<|eot_id|>"]
    params = greedy(min_new_tokens=1, logit_bias={half: 90.0, end: 100.0})
    completion = await engine.generate(PROMPT, params)
    assert completion.token_ids == (half, end)
    assert completion.text == "\ufffd"


async def test_end_tokens_of_the_rules_end_a_reply_beside_64_of_the_caller(engine):
    end = engine.tokenizer.encode("e")[0]
    others = tuple(i for i in range(300) if i != end)[:64]
    params = greedy(logit_bias={end: 100.0}, stop_token_ids=others)
    rules = ReplyRules(end_ids=frozenset({end}))
    completion = await engine.submit(PROMPT, params, rules=rules).result()
    assert completion.token_ids == (end,)
    assert completion.finish_reason is FinishReason.END
    assert completion.text == ""


async def test_end_tokens_of_the_rules_are_not_drawn_before_the_minimum(engine):
    end = engine.tokenizer.encode("e")[0]
    params = greedy(logit_bias={end: 100.0}, min_new_tokens=9)
    rules = ReplyRules(end_ids=frozenset({end}))
    completion = await engine.submit(PROMPT, params, rules=rules).result()
    assert completion.token_ids.index(end) == 9


class Shouting:
    """Gives text in capitals, and ends the reply after some characters."""

    def __init__(self, most: int) -> None:
        self.finish_reason = None
        self.left: list[int] = []
        self._most = most

    def push(self, text: str, tokens_left: int) -> str:
        self.left.append(tokens_left)
        shown, self._most = text[: self._most].upper(), self._most - len(text)
        if self._most <= 0:
            self.finish_reason = FinishReason.END
        return shown

    def finish(self, text: str) -> str:
        return text.upper() + "!"


async def test_the_text_goes_through_the_filter(engine):
    plain = await engine.generate(PROMPT, greedy(min_new_tokens=24))
    shouting = Shouting(10)
    rules = ReplyRules(text_filter=shouting)
    generation = engine.submit(PROMPT, greedy(min_new_tokens=24), rules=rules)
    assert await deltas_of(generation) == generation.completion.text
    assert generation.completion.text == plain.text[:10].upper() + "!"
    assert generation.completion.finish_reason is FinishReason.END
    assert generation.completion.usage.generated_tokens < 24
    drawn = generation.completion.usage.generated_tokens
    assert shouting.left[:drawn] == list(range(23, 23 - drawn, -1))


async def test_the_rules_keep_the_repetition_penalty_from_the_prompt(engine):
    """At its strongest it changes the first token where that stands in the prompt."""
    choose = random.Random(5)
    for _ in range(100):
        prompt = [choose.randrange(400) for _ in range(200)]
        plain = await engine.generate(prompt, greedy(max_new_tokens=1))
        if plain.token_ids[0] not in prompt:
            continue
        strong = greedy(max_new_tokens=1, repetition_penalty=10.0)
        punished = await engine.generate(prompt, strong)
        spared = await engine.submit(
            prompt, strong, rules=ReplyRules(penalizes_prompt=False)
        ).result()
        assert spared.token_ids == plain.token_ids != punished.token_ids
        return
    pytest.fail("no prompt held its own next token")


async def test_the_repetition_penalty_never_counts_end_tokens(engine):
    end = engine.tokenizer.special_tokens["<|eot_id|>"]
    prompt = [end, *engine.tokenizer.encode(PROMPT)]
    for bias in range(100):  # until it is just enough for the end token
        params = greedy(max_new_tokens=1, logit_bias={end: float(bias)})
        if (await engine.generate(prompt, params)).token_ids == (end,):
            break
    assert bias > 0
    params = replace(params, repetition_penalty=10.0)
    assert (await engine.generate(prompt, params)).token_ids == (end,)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"stop_repetition": True}, FinishReason.REPETITION),
        ({"stop_repetition": True, "min_new_tokens": 300}, FinishReason.LENGTH),
        ({"stop_repetition": False}, FinishReason.LENGTH),
        ({}, FinishReason.LENGTH),
    ],
)
async def test_a_reply_that_goes_round_in_circles_ends_where_that_is_asked_for(
    engine, fields, reason
):
    letter = engine.tokenizer.encode("e")[0]
    params = greedy(max_new_tokens=300, logit_bias={letter: 100.0}, **fields)
    generation = engine.submit(PROMPT, params)
    text = await deltas_of(generation)
    assert generation.completion.finish_reason is reason
    assert text == generation.completion.text
    assert len(text) == (8 if reason is FinishReason.REPETITION else 300)
    drawn = generation.completion.usage.generated_tokens
    assert drawn == (80 if reason is FinishReason.REPETITION else 300)
