"""One request's fault is nobody else's."""

import asyncio
from dataclasses import replace

import pytest
import torch
from townsfolk.engine import GenerationFailedError, prompt_scores
from townsfolk.models import Decoder
from townsfolk.sampling import Sampler, SamplingParams
from townsfolk.text.detokenizer import Detokenizer

BAD_SEED = 666
POISON = 77
GOOD = SamplingParams(max_new_tokens=40, min_new_tokens=40, seed=1)
BAD = SamplingParams(max_new_tokens=40, min_new_tokens=40, seed=BAD_SEED)


@pytest.fixture
async def expected(start):
    engine = start()
    return (await engine.generate([1, 2, 3], GOOD)).text


async def run_beside_good_ones(engine, expected, options=None):
    good = [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    bad = engine.submit([1, 2, 3], BAD)
    good += [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    with pytest.raises(GenerationFailedError) as error:
        await bad.result()
    assert [(await generation.result()).text for generation in good] == [expected] * 6
    await engine.check()
    return error.value


async def test_a_request_that_cannot_be_admitted_fails_alone(start, expected, monkeypatch):
    admit = Sampler.admit

    def refuse(self, row, params, seed, *args):
        if seed == BAD_SEED:
            raise RuntimeError("no such row")
        admit(self, row, params, seed, *args)

    monkeypatch.setattr(Sampler, "admit", refuse)
    error = await run_beside_good_ones(start(), expected)
    assert str(error.__cause__) == "no such row"


async def test_a_request_that_cannot_be_sampled_fails_alone(start, expected, monkeypatch):
    admit, sample = Sampler.admit, Sampler.sample
    bad_rows = set()

    def note(self, row, params, seed, *args):
        (bad_rows.add if seed == BAD_SEED else bad_rows.discard)(row)
        admit(self, row, params, seed, *args)

    def refuse(self, logits, rows, counts, *masks):
        if any(row in bad_rows and count == 7 for row, count in zip(rows, counts, strict=True)):
            raise RuntimeError("no such token")
        return sample(self, logits, rows, counts, *masks)

    monkeypatch.setattr(Sampler, "admit", note)
    monkeypatch.setattr(Sampler, "sample", refuse)
    error = await run_beside_good_ones(start(), expected)
    assert str(error.__cause__) == "no such token"


async def test_a_request_that_cannot_be_written_fails_alone(start, expected, monkeypatch):
    engine = start()
    good = (await engine.generate([1, 2, 3], GOOD)).token_ids
    bad = (await engine.generate([1, 2, 3], BAD)).token_ids
    poison = next(token_id for token_id in bad if token_id not in good)
    push = Detokenizer.push

    def refuse(self, token_id):
        if token_id == poison:
            raise RuntimeError("no such character")
        return push(self, token_id)

    monkeypatch.setattr(Detokenizer, "push", refuse)
    error = await run_beside_good_ones(engine, expected)
    assert str(error.__cause__) == "no such character"


async def test_a_step_that_fails_once_is_computed_again_for_each_alone(
    start, expected, monkeypatch, caplog
):
    engine = start(max_batch=3)
    forward = Decoder.forward
    steps = iter(range(1000))

    def fail_once(self, batch, kv):
        if next(steps) == 10:
            raise RuntimeError("the device is on fire")
        return forward(self, batch, kv)

    monkeypatch.setattr(Decoder, "forward", fail_once)
    results = await asyncio.gather(*(engine.generate([1, 2, 3], GOOD) for _ in range(5)))
    assert [result.text for result in results] == [expected] * 5
    assert "each sequence is computed alone" in caplog.text
    await engine.check()


async def test_a_request_that_needs_too_much_memory_fails_alone(start, expected, monkeypatch):
    """Whoever is in a step with token 77 gets none, for as long as it is there."""
    forward = Decoder.forward

    def fail(self, batch, kv):
        if (batch.token_ids == POISON).any():
            raise torch.OutOfMemoryError("not so much")
        return forward(self, batch, kv)

    monkeypatch.setattr(Decoder, "forward", fail)
    engine = start()
    good = [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    bad = engine.submit([1, 2, POISON], GOOD)
    good += [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    with pytest.raises(GenerationFailedError, match="not so much"):
        await bad.result()
    assert [(await generation.result()).text for generation in good] == [expected] * 6
    await engine.check()


async def test_a_prompt_that_cannot_be_scored_fails_alone(start, expected, monkeypatch):
    monkeypatch.setattr(prompt_scores, "prompt_logprobs", lambda *_: 1 / 0)
    engine = start()
    good = [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    bad = engine.submit([1, 2, 3], replace(GOOD, logprobs=2), echo=True)
    with pytest.raises(GenerationFailedError):
        await bad.result()
    assert [(await generation.result()).text for generation in good] == [expected] * 3
    await engine.check()


async def test_a_step_that_failed_leaves_nothing_wrong_in_the_cache(start, expected, monkeypatch):
    engine = start()
    forward = Decoder.forward

    def spoil(self, batch, kv):
        forward(self, batch, kv)
        for pages in (*kv.k, *kv.v):
            blocks, offsets = batch.slots // kv.block_size, batch.slots % kv.block_size
            pages[blocks, :, offsets] = float("nan")
        raise RuntimeError("after the harm was done")

    reply = await engine.generate([1, 2, 3], GOOD)
    with monkeypatch.context() as context:
        context.setattr(Decoder, "forward", spoil)
        with pytest.raises(GenerationFailedError):
            await engine.generate([1, 2, 3, *reply.token_ids, 9, 9, 9], GOOD)
    assert (await engine.generate([1, 2, 3], GOOD)).text == expected
    fresh = start()
    longer = [1, 2, 3, *reply.token_ids, 9, 9, 9]
    assert (await engine.generate(longer, GOOD)).text == (await fresh.generate(longer, GOOD)).text
