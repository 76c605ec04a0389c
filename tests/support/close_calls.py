"""Whether two draws differ because rounding decided between them."""

from __future__ import annotations

import torch
from torch import Tensor
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch
from townsfolk.sampling import Sampler, SamplingParams

TRIES = 256


def is_close_call(
    logits: Tensor,
    params: SamplingParams,
    seed: int,
    prompt: list[int],
    reply: list[int],
    token: int,
    rounding: float,
) -> bool:
    """Whether `token` may follow `reply` if each of the logits [vocab] is so much off."""
    sampler = Sampler(TRIES, len(logits), (), logits.device)
    for row in range(TRIES):
        sampler.admit(row, params, seed, prompt, reply)
    noise = (torch.rand(TRIES, len(logits)) * 2 - 1) * rounding
    drawn = sampler.sample(logits + noise, list(range(TRIES)), [len(reply)] * TRIES)
    return token in drawn.token_ids.tolist()


def next_logits(decoder: Decoder, token_ids: list[int]) -> Tensor:
    """Scores of what follows, [vocab]."""
    blocks = list(range(-(-len(token_ids) // 16)))
    kv = KvCache.allocate(decoder.config, len(blocks), 16, decoder.dtype, decoder.device)
    batch = ModelBatch.build([Chunk(token_ids, 0, blocks)], 16)
    return decoder.logits(decoder.forward(batch, kv)[-1:])[0]
