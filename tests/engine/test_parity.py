"""The engine's greedy text against transformers, however the requests share steps."""

import asyncio
from functools import partial

import pytest
import torch
from tiny_models import write_mistral
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, FinishReason
from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.sampling import SamplingParams
from townsfolk.text.detokenizer import Detokenizer
from transformers import MistralForCausalLM

NEW = 64


def greedy(oracle, prompt):
    """64 greedy tokens after a prompt, by transformers."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        out = oracle.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW,
            min_new_tokens=NEW,
            do_sample=False,
            pad_token_id=0,
        )
    return tuple(out[0, len(prompt) :].tolist())


@pytest.fixture(scope="module")
def expected(oracle, prompts):
    """The greedy reply to each prompt, one prompt at a time."""
    return [greedy(oracle, prompt) for prompt in prompts]


@pytest.mark.parametrize("depth", [1, 2], ids=["in step", "one step ahead"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"step_token_budget": 8, "max_batch": 8},  # tiny chunks, and requests wait for a row
        {"kv_memory_mib": 1, "block_size": 4},  # not all fit: some are preempted
    ],
    ids=["roomy", "chunked", "short of memory"],
)
async def test_greedy_text_is_that_of_transformers(
    start, prompts, expected, settings, depth, monkeypatch
):
    monkeypatch.setattr("townsfolk.engine.residency.EagerRunner", partial(EagerRunner, depth=depth))
    engine = start(**settings)
    params = SamplingParams(temperature=0, max_new_tokens=NEW, min_new_tokens=NEW)

    async def late(number, prompt):
        await asyncio.sleep(0.01 * number)  # they join while others speak
        return await engine.generate(prompt, params)

    async def leaves(number, prompt):
        await asyncio.sleep(0.013 * number)
        generation = engine.submit(prompt, SamplingParams(max_new_tokens=300))
        async for _ in generation:
            generation.cancel()

    everyone = [late(n, prompt) for n, prompt in enumerate(prompts)]
    noise = [leaves(n, prompt) for n, prompt in enumerate(prompts[::2])]
    replies = (await asyncio.gather(*everyone, *noise))[: len(prompts)]
    assert [reply.token_ids for reply in replies] == expected
    assert all(reply.finish_reason is FinishReason.LENGTH for reply in replies)
    for prompt, reply in zip(prompts, replies, strict=True):
        detokenizer = Detokenizer(engine.tokenizer, prompt[-4:])
        pieces = [detokenizer.push(token_id) for token_id in reply.token_ids]
        assert reply.text == "".join(pieces)  # a character that the limit cut in half is left out


async def test_a_sliding_window_holds_over_chunks_and_cached_prefixes(tmp_path, prompts):
    directory = write_mistral(tmp_path, sliding_window=24)
    oracle = MistralForCausalLM.from_pretrained(directory)
    settings = EngineSettings(kv_memory_mib=2, threads=1, step_token_budget=40, max_batch=8)
    engine = Engine.from_pretrained(directory, settings)
    params = SamplingParams(temperature=0, max_new_tokens=NEW, min_new_tokens=NEW)
    await engine.generate(prompts[7], params)
    replies = await asyncio.gather(*(engine.generate(prompt, params) for prompt in prompts[5:]))
    assert replies[2].usage.cached_tokens == len(prompts[7]) - 1
    assert [r.token_ids for r in replies] == [greedy(oracle, prompt) for prompt in prompts[5:]]
    await engine.aclose()


async def test_the_next_turn_of_a_dialogue_computes_only_what_is_new(start, prompts, oracle):
    engine = start()
    params = SamplingParams(temperature=0, max_new_tokens=21, min_new_tokens=21)
    history = list(prompts[7])
    for said in ([5, 6, 7], [8] * 40, [9]):
        history += said
        reply = await engine.generate(history, params)
        ids = torch.tensor([history])
        out = oracle.generate(ids, do_sample=False, max_new_tokens=21, min_new_tokens=21)
        assert reply.token_ids == tuple(out[0, len(history) :].tolist())
        if len(history) > len(prompts[7]) + 3:
            # All but the last drawn token, which no step has read yet, and the new ones.
            assert reply.usage.cached_tokens == len(history) - len(said) - 1
        history += reply.token_ids
