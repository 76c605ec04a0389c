"""How a reply ends, and what is reported about it."""

import asyncio

import pytest
import torch
from townsfolk.engine import FinishReason, InvalidPromptError, PromptTooLongError
from townsfolk.sampling import InvalidSamplingError, SamplingParams

PROMPT = "The innkeeper pours a mug"


def greedy(**fields):
    return SamplingParams(**({"temperature": 0, "max_new_tokens": 24} | fields))


@pytest.fixture
async def engine(start):
    return start()


@pytest.fixture
async def plain(engine):
    """A greedy reply of 24 tokens that no end token cuts short."""
    return await engine.generate(PROMPT, greedy(min_new_tokens=24))


async def test_deltas_make_the_whole_reply(engine, plain):
    generation = engine.submit(PROMPT, greedy(min_new_tokens=24))
    deltas = [delta async for delta in generation]
    assert "".join(delta.text for delta in deltas) == plain.text
    token_ids = [token.token_id for delta in deltas for token in delta.tokens]
    assert tuple(token_ids) == generation.completion.token_ids == plain.token_ids
    assert all(delta.text for delta in deltas[:-1])
    assert plain.usage.prompt_tokens == len(engine.tokenizer.encode(PROMPT)) + 1  # the begin token
    assert plain.usage.generated_tokens == 24
    assert plain.usage.time_to_first_token_ms > 0
    assert plain.usage.tokens_per_second > 0


async def test_a_stop_string_ends_the_reply_before_it(engine, plain):
    stop = plain.text[5:9]
    generation = engine.submit(PROMPT, greedy(min_new_tokens=24, stop=("never there", stop)))
    shown = "".join([delta.text async for delta in generation])
    reply = generation.completion
    assert shown == reply.text == plain.text[: plain.text.index(stop)]
    assert reply.finish_reason is FinishReason.STOP
    assert reply.stop_text == stop
    assert reply.token_ids == plain.token_ids[: len(reply.token_ids)]


async def test_a_stop_token_ends_the_reply_and_is_no_text(engine, plain):
    end = next(n for n, i in enumerate(plain.token_ids) if n > 3 and i not in plain.token_ids[:n])
    reply = await engine.generate(PROMPT, greedy(stop_token_ids=(plain.token_ids[end],)))
    assert reply.finish_reason is FinishReason.STOP
    assert reply.token_ids == plain.token_ids[: end + 1]
    assert plain.text.startswith(reply.text)
    assert reply.stop_text is None


@pytest.mark.parametrize("name", ["<|end_of_text|>", "<|eot_id|>"])
async def test_each_end_token_of_the_model_ends_the_reply(engine, plain, name):
    end = engine.tokenizer.special_tokens[name]
    params = greedy(logit_bias={end: 100.0}, min_new_tokens=7)
    reply = await engine.generate(PROMPT, params)
    assert reply.finish_reason is FinishReason.END
    assert reply.token_ids == (*plain.token_ids[:7], end)
    assert name not in reply.text


async def test_a_reply_ends_at_max_new_tokens(engine, plain):
    reply = await engine.generate(PROMPT, greedy(max_new_tokens=1))
    assert reply.token_ids == plain.token_ids[:1]
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.usage.tokens_per_second == 0


async def test_a_reply_ends_with_the_context(engine):
    prompt = [7] * (engine.info.context_length - 5)
    reply = await engine.generate(prompt, greedy(max_new_tokens=99, min_new_tokens=99))
    assert len(reply.token_ids) == 5
    assert reply.finish_reason is FinishReason.LENGTH


async def test_a_small_memory_shortens_the_context(start):
    engine = start(kv_memory_mib=1, max_context=100)
    assert engine.info.context_length == 100
    assert engine.info.kv_capacity_tokens == 2048
    reply = await engine.generate([7], greedy(max_new_tokens=200, min_new_tokens=200))
    assert len(reply.token_ids) == 99


async def test_log_probabilities_are_those_of_transformers(engine, oracle):
    params = SamplingParams(seed=3, max_new_tokens=12, logprobs=5, temperature=1.5)
    generation = engine.submit(PROMPT, params, echo=True)
    first = await anext(generation)
    assert generation.prompt_tokens  # known before any text
    tokens = [*first.tokens, *[token async for delta in generation for token in delta.tokens]]
    prompt = generation.completion.prompt_tokens
    ids = [token.token_id for token in (*prompt, *tokens)]
    assert ids[len(prompt) :] == list(generation.completion.token_ids)
    with torch.inference_mode():
        expected = oracle(torch.tensor([ids])).logits[0].log_softmax(-1)
    assert prompt[0].logprob == 0
    for position, token in enumerate([*prompt[1:], *tokens]):
        row = expected[position]
        assert token.logprob == pytest.approx(row[token.token_id].item(), abs=1e-4)
        best = row.topk(5)
        assert [i for i, _ in token.top] == best.indices.tolist()
        assert [p for _, p in token.top] == pytest.approx(best.values.tolist(), abs=1e-4)


async def test_a_scored_prompt_is_scored_whole_though_it_is_cached_and_chunked(start, prompts):
    engine = start(step_token_budget=16, max_batch=4, kv_memory_mib=1)
    prompt = prompts[8]
    params = greedy(max_new_tokens=200, min_new_tokens=200, logprobs=0)
    want = await engine.generate(prompt, greedy(max_new_tokens=1, logprobs=0), echo=True)
    # Together they need more than there is, so that some are preempted while they are scored.
    many = [engine.generate(prompts[n], params, echo=True) for n in (8, 9, 8, 7, 9, 8, 7, 9)]
    replies = await asyncio.gather(*many)
    for reply in (replies[0], replies[2], replies[5]):
        assert [t.token_id for t in reply.prompt_tokens] == prompt
        assert [t.logprob for t in reply.prompt_tokens] == pytest.approx(
            [t.logprob for t in want.prompt_tokens], abs=1e-4
        )


async def test_echo_without_log_probabilities_uses_the_cache(engine):
    await engine.generate(PROMPT, greedy())
    reply = await engine.generate(PROMPT, greedy(), echo=True)
    assert reply.usage.cached_tokens == reply.usage.prompt_tokens - 1
    ids = [engine.tokenizer.bos_id, *engine.tokenizer.encode(PROMPT)]
    assert [token.token_id for token in reply.prompt_tokens] == ids
    assert all(token.logprob is None for token in reply.prompt_tokens)


async def test_namespaces_share_no_cache(engine):
    await engine.generate(PROMPT, greedy(), namespace="one")
    assert (await engine.generate(PROMPT, greedy(), namespace="two")).usage.cached_tokens == 0
    assert (await engine.generate(PROMPT, greedy(), namespace="one")).usage.cached_tokens > 0


async def test_control_tokens_in_a_prompt_are_plain_text(engine):
    reply = await engine.generate("<|eot_id|>", greedy(max_new_tokens=1), echo=True)
    ids = {token.token_id for token in reply.prompt_tokens[1:]}
    assert ids.isdisjoint(engine.tokenizer.special_tokens.values())


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([], {}, "the prompt is empty"),
        ([1, -2], {}, "prompt token ids must be whole, 0 to"),
        ([10**6], {}, "prompt token ids must be whole, 0 to"),
        ("\ud800", {}, "surrogate"),
        ([1], {"priority": 101}, "priority must be whole, -100 to 100, but is 101"),
        ([1], {"deadline_s": 0}, "deadline_s must be above 0"),
        ([1], {"deadline_s": float("nan")}, "deadline_s must be above 0"),
    ],
)
async def test_what_cannot_be_used_is_refused_at_once(engine, prompt, options, message):
    with pytest.raises(InvalidPromptError, match=message):
        engine.submit(prompt, **options)


async def test_a_prompt_that_fills_the_context_is_refused(engine):
    limit = engine.info.context_length
    with pytest.raises(PromptTooLongError, match=f"at most {limit - 1}") as error:
        engine.submit([1] * limit)
    assert (error.value.prompt_tokens, error.value.context_length) == (limit, limit)


async def test_a_token_outside_the_vocabulary_is_refused(engine):
    with pytest.raises(InvalidSamplingError, match="stop_token_ids"):
        engine.submit([1], SamplingParams(stop_token_ids=(10**6,)))


async def test_shared_lore_is_computed_once_though_all_come_at_once(start):
    engine = start()
    lore = [token_id % 300 for token_id in range(7, 207)]
    prompts = [[*lore, 9, number] for number in range(20)]
    replies = await asyncio.gather(*(engine.generate(prompt, greedy()) for prompt in prompts))
    cached = sorted(reply.usage.cached_tokens for reply in replies)
    assert cached[0] == 0
    assert cached[1] >= len(lore) - 2 * 16
