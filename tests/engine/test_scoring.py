"""How likely texts are, against transformers."""

from __future__ import annotations

import random

import pytest
import torch
from townsfolk.engine.errors import InvalidPromptError
from townsfolk.engine.scoring import score


def expected(oracle, prompt, option):
    """Log-probabilities of an option's tokens behind a prompt, by transformers in fp32."""
    ids = torch.tensor([[*prompt, *option]])
    with torch.inference_mode():
        logprobs = oracle(ids).logits[0].float().log_softmax(-1)
    first = len(prompt) - 1
    return [logprobs[first + n, token_id].item() for n, token_id in enumerate(option)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"step_token_budget": 8, "max_batch": 8}, {"kv_memory_mib": 1, "block_size": 4}],
    ids=["roomy", "chunked", "short of memory"],
)
async def test_log_probabilities_are_those_of_transformers(start, oracle, settings):
    engine = start(dtype="float32", **settings)
    choose = random.Random(5)

    def some(count):
        return [choose.randrange(oracle.config.vocab_size - 5) for _ in range(count)]

    for length in (1, 16, 75):
        prompt = some(length)
        options = [some(count) for count in (1, 1, 2, 7, 20, 64, 100)]
        for _ in range(2):  # the second time from the cache
            scored = await score(engine, prompt, options)
            for option, completion in zip(options, scored, strict=True):
                infos = completion.prompt_tokens
                assert [info.token_id for info in infos] == option
                found = [info.logprob for info in infos]
                assert found == pytest.approx(expected(oracle, prompt, option), abs=1e-4)
                assert completion.token_ids == ()
        if length == 75 and "kv_memory_mib" not in settings:
            assert min(completion.usage.cached_tokens for completion in scored) >= 64


async def test_the_prompt_is_computed_once(start):
    engine = start(max_batch=4)
    prompt, options = [7] * 200, [[n] for n in range(20)]
    scored = await score(engine, prompt, options)
    assert sum(completion.usage.cached_tokens == 0 for completion in scored) == 1
    assert engine.stats().generated_tokens_total == 0


async def test_what_can_t_be_scored(start):
    engine = start()
    for prompt, options in (([], [[1]]), ([1], [[1], []])):
        with pytest.raises(InvalidPromptError, match=r"empty|no tokens"):
            await score(engine, prompt, options)
    with pytest.raises(InvalidPromptError, match="tokens"):
        await score(engine, [1], [[2], [3] * 100_000])
    await engine.check()


async def test_options_go_through_the_model_together(start):
    engine = start()
    prompt, options = [7] * 40, [[n, n + 1] for n in range(30)]
    for requests in (1, 1, 1):  # the prompt, once
        assert len(await score(engine, prompt, options)) == 30
        assert engine.stats().requests_total == requests
    await engine.check()
