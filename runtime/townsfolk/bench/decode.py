"""Decode speed of a named shape with random weights: requests of equal length in one batch.

Speed does not depend on the weights' values. A decode rate counts the tokens after the first of
each request, over the time from when all have their first to the end, so prefill is not in it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from townsfolk.engine import Engine
from townsfolk.sampling.params import SamplingParams


@dataclass(frozen=True, slots=True)
class Rates:
    """What one run reached, in tokens a second over all requests."""

    decode: float
    prefill: float


class Contestant(Protocol):
    """Something that decodes."""

    name: str

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """Complete all prompts, of equal length, in one batch with `new_tokens` each."""

    def close(self) -> None:
        """End it."""


class TownsfolkContestant:
    """The engine, in this process."""

    name = "townsfolk"

    def __init__(self, engine: Engine) -> None:
        """Use an engine that has no other work."""
        self._engine = engine

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        return asyncio.run(self._run(prompts, new_tokens))

    def close(self) -> None:
        """See `Contestant`."""
        self._engine.close()

    async def _run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        params = SamplingParams(
            temperature=0.0, max_new_tokens=new_tokens, min_new_tokens=new_tokens
        )
        firsts: list[float] = []

        async def complete(number: int, prompt: Sequence[int]) -> int:
            # A namespace of its own: no run finds the prompts of an earlier one in the cache.
            generation = self._engine.submit(prompt, params, namespace=f"{begin}-{number}")
            async for _ in generation:
                if len(firsts) <= number:
                    firsts.append(time.perf_counter())
                break
            return len((await generation.result()).token_ids)

        begin = time.perf_counter()
        lengths = await asyncio.gather(*(complete(i, p) for i, p in enumerate(prompts)))
        end = time.perf_counter()
        if any(length != new_tokens for length in lengths):
            raise RuntimeError(f"asked for {new_tokens} tokens each, got {lengths}")
        all_first = max(firsts)
        return Rates(
            decode=len(prompts) * (new_tokens - 1) / (end - all_first),
            prefill=sum(map(len, prompts)) / (all_first - begin),
        )


def random_prompts(vocab_size: int, batch: int, length: int, seed: int) -> list[list[int]]:
    """Return `batch` prompts of `length` random token ids."""
    draw = random.Random(seed)
    return [[draw.randrange(vocab_size) for _ in range(length)] for _ in range(batch)]
