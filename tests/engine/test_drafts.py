"""Several tokens of a sequence in one step: what is guessed right is kept, and changes no text."""

import asyncio

import pytest
from townsfolk.engine import FinishReason
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

VARIED = [
    {"temperature": 0},
    {"seed": 3},
    {"seed": 4, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.3, "presence_penalty": 0.5},
    {"seed": 5, "logprobs": 2, "min_new_tokens": 10},
]
PROMPTS = [[1, 2, 3], [4, 5], [6] * 20, [7, 8, 9]]


def drafter(texts, wrong_every):
    """Guesses the next four tokens of known texts, now and then a wrong one."""

    def guess(token_ids):
        for text in texts:
            if text[: len(token_ids)] == token_ids:
                guessed = text[len(token_ids) : len(token_ids) + 4]
                if len(token_ids) % wrong_every == 0 and guessed:
                    guessed[len(token_ids) % len(guessed)] = 11
                return guessed
        return []

    return guess


@pytest.mark.parametrize("wrong_every", [2, 5, 1000])
async def test_drafts_change_no_text_and_save_steps(start, monkeypatch, wrong_every):
    engine = start(dtype="float32")
    asked = [SamplingParams(max_new_tokens=40, **fields) for fields in VARIED]
    expected = [
        await engine.generate(prompt, params) for prompt, params in zip(PROMPTS, asked, strict=True)
    ]
    texts = [[*prompt, *reply.token_ids] for prompt, reply in zip(PROMPTS, expected, strict=True)]
    steps = []
    forward = Decoder.forward
    monkeypatch.setattr(Decoder, "forward", lambda *args: steps.append(1) or forward(*args))
    engine._core.scheduler._drafter = drafter(texts, wrong_every)
    found = await asyncio.gather(
        *(engine.generate(prompt, params) for prompt, params in zip(PROMPTS, asked, strict=True))
    )
    assert [reply.token_ids for reply in found] == [reply.token_ids for reply in expected]
    assert [reply.text for reply in found] == [reply.text for reply in expected]
    assert [reply.finish_reason for reply in found] == [each.finish_reason for each in expected]
    assert len(steps) < 40 * (0.75 if wrong_every == 2 else 0.5)
    await engine.check()
    engine._core.scheduler._drafter = None
    # What stays in the cache is of the texts, not of the guesses.
    again = [
        await engine.generate(prompt, params) for prompt, params in zip(PROMPTS, asked, strict=True)
    ]
    assert [reply.token_ids for reply in again] == [reply.token_ids for reply in expected]


async def test_what_was_drawn_behind_an_end_is_not_of_the_reply(start):
    engine = start()
    free = await engine.generate([1, 2, 3], SamplingParams(temperature=0, max_new_tokens=30))
    stop = next(token for token in free.token_ids[10:] if token not in free.token_ids[:10])
    end = free.token_ids.index(stop)
    engine._core.scheduler._drafter = drafter([[1, 2, 3, *free.token_ids]], 1000)
    params = SamplingParams(temperature=0, max_new_tokens=30, stop_token_ids=(stop,))
    reply = await engine.generate([1, 2, 3], params)
    assert reply.token_ids == free.token_ids[: end + 1]
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage.generated_tokens == end + 1
    short = await engine.generate([1, 2, 3], SamplingParams(temperature=0, max_new_tokens=6))
    assert short.token_ids == free.token_ids[:6]
    assert short.finish_reason is FinishReason.LENGTH
    assert engine.stats().generated_tokens_total == 30 + end + 1 + 6
