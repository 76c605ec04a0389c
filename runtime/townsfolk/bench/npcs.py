"""Many characters at once over the real service: latency as a player feels it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from townsfolk.bench.report import Row, percentile
from townsfolk.client import AsyncNpc, AsyncRuntime, Persona, SamplingParams
from townsfolk.starter.cast import LORE, cast

QUESTIONS = (
    "Hello! What is your name?",
    "Where do you live?",
    "What do you do for a living?",
    "What are you afraid of?",
    "Who is the mayor of this town?",
    "Tell me about your family.",
    "What do you sell?",
    "Goodbye, and thank you.",
)


@dataclass(slots=True)
class Samples:
    """What was seen, in seconds."""

    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    generated: int = 0
    prompted: int = 0
    cached: int = 0


async def measure(runtime: AsyncRuntime, npcs: int, turns: int, new_tokens: int) -> Row:
    """Let `npcs` characters answer `turns` questions each, all at once; return one row.

    Args:
        runtime: Where they live.
        npcs: Characters that talk at the same time.
        turns: Questions to each, asked one after the other without a pause.
        new_tokens: The longest answer.
    """
    await runtime.register_lore("bench", LORE)
    people = cast()
    sampling = SamplingParams(max_new_tokens=new_tokens)
    characters = [
        runtime.npc(_renamed(people[i % len(people)], i), lore=["bench"], sampling=sampling)
        for i in range(npcs)
    ]
    await asyncio.gather(*(npc.open() for npc in characters))
    samples = Samples()
    begin = time.perf_counter()
    await asyncio.gather(*(_talk(npc, turns, i, samples) for i, npc in enumerate(characters)))
    elapsed = time.perf_counter() - begin
    await asyncio.gather(*(npc.close() for npc in characters))
    return {
        "NPCs": npcs,
        "TTFT p50 ms": 1000 * percentile(samples.first, 0.5),
        "TTFT p99 ms": 1000 * percentile(samples.first, 0.99),
        "inter-token p50 ms": 1000 * percentile(samples.between, 0.5),
        "inter-token p99 ms": 1000 * percentile(samples.between, 0.99),
        "tokens/s": samples.generated / elapsed,
        "cached share": samples.cached / max(samples.prompted, 1),
    }


def _renamed(persona: Persona, index: int) -> Persona:
    copy = Persona()
    copy.CopyFrom(persona)
    copy.description += f" Lives in house number {index + 1}."
    return copy


async def _talk(npc: AsyncNpc, turns: int, offset: int, samples: Samples) -> None:
    for number in range(turns):
        turn = npc.say(QUESTIONS[(offset + number) % len(QUESTIONS)])
        last = time.perf_counter()
        first = True
        async for _ in turn:
            now = time.perf_counter()
            (samples.first if first else samples.between).append(now - last)
            last, first = now, False
        samples.generated += turn.usage.generated_tokens
        samples.prompted += turn.usage.prompt_tokens
        samples.cached += turn.usage.cached_tokens
