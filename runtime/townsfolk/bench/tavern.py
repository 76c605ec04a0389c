"""Many characters in one engine, in this process: latencies as its callers see them.

All know the same lore; each has a persona of its own and a conversation that grows. A player thinks
between two turns, for a time drawn from an exponential distribution. Token ids are random: speed
does not depend on them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from townsfolk.bench.report import Row, percentile
from townsfolk.engine import Engine
from townsfolk.sampling.params import SamplingParams

LORE_TOKENS = 1000
PERSONA_TOKENS = 300
TURNS = 8
SAID_TOKENS = 30
REPLY_TOKENS = 60
THINKING_S = 2.0
SPEAKERS = 8
INTRUDER_TOKENS = 4000


@dataclass(slots=True)
class _Seen:
    """Latencies in seconds, and counts of tokens."""

    opening: list[float] = field(default_factory=list)  # first tokens of first turns
    later: list[float] = field(default_factory=list)  # first tokens of later turns
    between: list[float] = field(default_factory=list)
    generated: int = 0
    prompted: int = 0
    cached: int = 0


async def tavern(engine: Engine, vocab_size: int, npcs: int, turns: int = TURNS) -> Row:
    """Let `npcs` characters talk `turns` turns each; return one row."""
    draw = random.Random(f"{npcs} {turns}")
    lore = _ids(draw, vocab_size, LORE_TOKENS)
    seen = _Seen()
    begin = time.perf_counter()

    async def talk(number: int) -> None:
        own = random.Random(f"{npcs} {turns} {number}")
        history = lore + _ids(own, vocab_size, PERSONA_TOKENS)
        await asyncio.sleep(own.expovariate(1 / THINKING_S))
        for turn in range(turns):
            history += _ids(own, vocab_size, SAID_TOKENS)
            first = seen.later if turn else seen.opening
            history += await _speak(engine, history, REPLY_TOKENS, first, seen)
            await asyncio.sleep(own.expovariate(1 / THINKING_S))

    await asyncio.gather(*(talk(number) for number in range(npcs)))
    elapsed = time.perf_counter() - begin
    return {
        "NPCs": npcs,
        "TTFT first p50 ms": 1000 * percentile(seen.opening, 0.5),
        "first p99 ms": 1000 * percentile(seen.opening, 0.99),
        "TTFT later p50 ms": 1000 * percentile(seen.later, 0.5),
        "later p99 ms": 1000 * percentile(seen.later, 0.99),
        "inter-token p50 ms": 1000 * percentile(seen.between, 0.5),
        "inter-token p99 ms": 1000 * percentile(seen.between, 0.99),
        "tokens/s": seen.generated / elapsed,
        "cached share": seen.cached / max(seen.prompted, 1),
    }


async def interference(engine: Engine, vocab_size: int) -> Row:
    """Inter-token times of `SPEAKERS` characters, quiet and while long prompts arrive."""
    draw = random.Random(0)

    async def speakers(intruders: int) -> list[float]:
        seen, ignored = _Seen(), _Seen()

        async def intrude(number: int) -> None:
            await asyncio.sleep(0.1 + 0.15 * number)
            prompt = _ids(draw, vocab_size, INTRUDER_TOKENS)
            await _speak(engine, prompt, 1, ignored.opening, ignored)

        prompts = [_ids(draw, vocab_size, PERSONA_TOKENS) for _ in range(SPEAKERS)]
        await asyncio.gather(
            *(_speak(engine, prompt, 512, seen.opening, seen) for prompt in prompts),
            *(intrude(number) for number in range(intruders)),
        )
        return seen.between

    await speakers(1)  # warms up
    quiet, disturbed = await speakers(0), await speakers(3)
    return {
        "speakers": SPEAKERS,
        "intruding prompt": INTRUDER_TOKENS,
        "quiet p50 ms": 1000 * percentile(quiet, 0.5),
        "quiet p99 ms": 1000 * percentile(quiet, 0.99),
        "disturbed p50 ms": 1000 * percentile(disturbed, 0.5),
        "disturbed p99 ms": 1000 * percentile(disturbed, 0.99),
        "disturbed longest ms": 1000 * percentile(disturbed, 1.0),
    }


async def _speak(
    engine: Engine, prompt: Sequence[int], length: int, first: list[float], seen: _Seen
) -> list[int]:
    params = SamplingParams(max_new_tokens=length, min_new_tokens=length)
    last = time.perf_counter()
    generation = engine.submit(list(prompt), params)
    is_first = True
    async for delta in generation:
        if not delta.tokens:
            continue
        now = time.perf_counter()
        (first if is_first else seen.between).append(now - last)
        last, is_first = now, False
    completion = await generation.result()
    seen.generated += completion.usage.generated_tokens
    seen.prompted += completion.usage.prompt_tokens
    seen.cached += completion.usage.cached_tokens
    return list(completion.token_ids)


def _ids(draw: random.Random, vocab_size: int, count: int) -> list[int]:
    return [draw.randrange(vocab_size) for _ in range(count)]
