"""Whether two draws differ because rounding decided between them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch
from townsfolk.sampling import Sampler, SamplingParams

TRIES = 256
# Of a sum over a vocabulary of 128,000 in fp32, as a part of it. A token of a flat distribution has
# 1e-5 of the sum, so that one draw in a hundred or so falls near enough to the next token.
SUM_ROUNDING = 1e-6


def is_close_call(
    logits: Tensor,
    params: SamplingParams,
    seed: int,
    prompt: list[int],
    reply: list[int],
    token: int,
    rounding: float,
) -> bool:
    """Whether `token` may follow `reply` if each of the logits [vocab] is so much off.

    Sums over the vocabulary may be off by SUM_ROUNDING, which is as if the random number were.
    """
    sampler = Sampler(TRIES, len(logits), (), logits.device)
    for row in range(TRIES):
        sampler.admit(row, params, seed, prompt, reply)
    noise = (torch.rand(TRIES, len(logits)) * 2 - 1) * rounding
    counts = [len(reply)] * TRIES
    sampler._draw_uniforms(sampler._batch_for(range(TRIES)), counts)  # makes those of a block
    sampler._uniforms += (torch.rand(TRIES, 1) * 2 - 1) * SUM_ROUNDING
    sampler._uniforms.clamp_(0, 1 - 2**-53)
    drawn = sampler.sample(logits + noise, list(range(TRIES)), counts)
    return token in drawn.token_ids.tolist()


def next_logits(decoder: Decoder, token_ids: list[int]) -> Tensor:
    """Scores of what follows, [vocab]."""
    blocks = list(range(-(-len(token_ids) // 16)))
    kv = KvCache.allocate(decoder.spec, len(blocks), 16, decoder.dtype, decoder.device)
    batch = ModelBatch.build([Chunk(token_ids, 0, blocks)], 16)
    return decoder.logits(decoder.forward(batch, kv)[-1:])[0]


def are_equally_likely(
    decoder: Decoder,
    prompt: Sequence[int],
    ours: Sequence[int],
    theirs: Sequence[int],
    rounding: float,
) -> bool:
    """Whether two greedy replies are the same, or part between logits that are so near."""
    place = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), None)
    if place is None:
        return True
    logits = next_logits(decoder, [*prompt, *ours[:place]])
    chosen = logits[[ours[place], theirs[place]]]
    return bool((logits.max() - chosen.min()) < rounding)
