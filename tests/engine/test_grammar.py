"""Replies under grammars: in a batch with others, preempted, at their limit."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial

import pytest
from grammar_storm import rage
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.engine.outputs import FinishReason
from townsfolk.grammar import Grammar, InvalidGrammarError
from townsfolk.sampling import SamplingParams

PROMPT = "The innkeeper writes: "
SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "angry"]},
        "line": {"type": "string"},
        "gold": {"type": "integer", "minimum": 0, "maximum": 50},
    },
    "required": ["mood", "line", "gold"],
}


@pytest.fixture(params=[1, 2], ids=["in step", "one step ahead"])
async def engine(request, monkeypatch):
    monkeypatch.setattr(
        "townsfolk.engine.residency.EagerRunner", partial(EagerRunner, depth=request.param)
    )
    engine = Engine.from_pretrained(
        "starter", EngineSettings(device="cpu", threads=1, kv_memory_mib=64, dtype="float32")
    )
    yield engine
    await engine.check()
    await engine.aclose()


async def test_replies_under_random_schemas_are_documents_of_them(engine):
    storm = await rage(engine, first=10**6, count=40, max_new_tokens=60)
    assert storm.faults == 0


async def test_who_is_under_no_grammar_says_the_same_beside_those_who_are(engine):
    params = [SamplingParams(seed=seed, max_new_tokens=24) for seed in range(6)]
    alone = [await engine.generate(PROMPT, each) for each in params[:3]]
    grammar = Grammar.json_schema(SCHEMA)
    under = [await engine.generate(PROMPT, each, grammar=grammar) for each in params[3:]]
    together = await asyncio.gather(
        *(engine.generate(PROMPT, each) for each in params[:3]),
        *(engine.generate(PROMPT, each, grammar=grammar) for each in params[3:]),
    )
    assert [each.token_ids for each in together] == [each.token_ids for each in (*alone, *under)]


@pytest.mark.parametrize("limit", [40, 60, 100])
async def test_a_reply_that_reaches_its_limit_is_complete(engine, limit):
    params = SamplingParams(
        seed=1, max_new_tokens=limit, logit_bias=dict.fromkeys(_quotes(engine), -100.0)
    )
    reply = await engine.generate(PROMPT, params, grammar=Grammar.json_schema(SCHEMA))
    assert reply.finish_reason is FinishReason.LENGTH
    assert len(reply.token_ids) <= limit
    assert json.loads(reply.text).keys() == {"mood", "line", "gold"}


async def test_a_reply_ends_when_nothing_can_follow(engine):
    reply = await engine.generate(PROMPT, SamplingParams(), grammar=Grammar.choices(["aye", "nay"]))
    assert reply.text in ("aye", "nay")
    assert reply.finish_reason is FinishReason.END
    assert not {*reply.token_ids} & engine.tokenizer.eos_ids


async def test_what_a_grammar_leaves_no_choice_of_is_not_drawn(engine, monkeypatch):
    short = {"line": {"type": "string", "maxLength": 20}}
    grammar = Grammar.json_schema(SCHEMA | {"properties": SCHEMA["properties"] | short})
    params = SamplingParams(seed=4, max_new_tokens=100)
    steps = []
    engine.observe_steps(lambda now, tokens: steps.append(tokens))
    forced = await engine.generate(PROMPT, params, grammar=grammar)
    assert sum(steps) == len(forced.token_ids) == forced.usage.generated_tokens
    assert len(forced.token_ids) - len(steps) >= 10
    monkeypatch.setattr(EagerRunner, "least_forced", None)
    drawn = await engine.generate(PROMPT, params, grammar=grammar)
    assert json.loads(forced.text).keys() == json.loads(drawn.text).keys()
    # What has log-probabilities is drawn, and so is what penalties are to count.
    monkeypatch.setattr(EagerRunner, "least_forced", 4)
    for other in (replace(params, logprobs=0), replace(params, repetition_penalty=1.000001)):
        reply = await engine.generate(PROMPT, other, grammar=grammar)
        assert reply.token_ids == drawn.token_ids


async def test_log_probabilities_are_the_model_s_own(engine):
    params = SamplingParams(temperature=0, logprobs=3, max_new_tokens=8)
    generation = engine.submit(
        PROMPT, params, grammar=await engine.compile(Grammar.regex("[0-9]{8,}"))
    )
    tokens = [token async for delta in generation for token in delta.tokens]
    free = await engine.generate(PROMPT, params)
    assert tokens[0].token_id != free.token_ids[0]
    assert tokens[0].logprob < tokens[0].top[0][1]
    assert tokens[0].top[0][0] == free.token_ids[0]


async def test_an_invalid_grammar_is_refused_and_nothing_else(engine):
    with pytest.raises(InvalidGrammarError, match="unclosed group"):
        await engine.generate(PROMPT, grammar=Grammar.regex("("))
    assert (await engine.generate(PROMPT, SamplingParams(max_new_tokens=3))).text


async def test_who_is_preempted_goes_on_in_its_grammar():
    settings = EngineSettings(
        device="cpu", threads=1, kv_memory_mib=2, max_context=256, max_batch=8, dtype="float32"
    )
    engine = Engine.from_pretrained("starter", settings)
    grammar = Grammar.json_schema(SCHEMA)
    replies = await asyncio.gather(
        *(
            engine.generate(
                PROMPT * 12,
                SamplingParams(seed=seed, max_new_tokens=100, temperature=1.3),
                grammar=grammar,
                namespace=str(seed),
            )
            for seed in range(8)
        )
    )
    assert engine.stats().preemptions_total > 0
    assert all(json.loads(reply.text).keys() == {"mood", "line", "gold"} for reply in replies)
    await engine.check()
    await engine.aclose()


def _quotes(engine: Engine) -> list[int]:
    """Tokens with a quote that ends a text: a reply that may not draw them never ends by itself."""
    tokenizer = engine.tokenizer
    bytes_ = {each: tokenizer.token_bytes(each) for each in range(tokenizer.vocab_size)}
    return [each for each, data in bytes_.items() if b'"' in data]
