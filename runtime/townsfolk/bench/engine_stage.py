"""Scenes in this process: the engine alone, spoken to in token ids."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import Sequence

from townsfolk.bench.answer import Answer
from townsfolk.bench.rest import rest
from townsfolk.bench.scene import Scene, pause_s
from townsfolk.engine import Engine
from townsfolk.grammar import CompiledGrammar, Grammar
from townsfolk.sampling.params import SamplingParams


class EngineStage:
    """An engine that has no other work; see `Stage`.

    Attributes:
        steps: when each step of the last scene ended, in seconds, and how many tokens it gave.
    """

    def __init__(self, engine: Engine, vocab_size: int) -> None:
        """Take an engine, which `close` ends, and the size of its vocabulary."""
        self._engine = engine
        self._vocab_size = vocab_size
        self.steps: list[tuple[float, int]] = []
        # As `townsfolk serve` does: a full collection would stop everybody for 100 ms.
        gc.collect()
        gc.freeze()

    def play(self, scene: Scene) -> list[Answer]:
        """See `Stage`."""
        self.steps = []
        self._engine.observe_steps(lambda now, tokens: self.steps.append((now, tokens)))
        try:
            return asyncio.run(self._play(scene))
        finally:
            self._engine.observe_steps(None)

    async def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Return a grammar that `complete` takes."""
        return await self._engine.compile(grammar)

    def load_adapters(self, names: Sequence[str]) -> None:
        """Load adapters that `complete` can name."""

        async def load() -> None:
            for name in names:
                await self._engine.adapters.load(name)

        asyncio.run(load())

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        new_tokens: int,
        grammar: CompiledGrammar | None = None,
        adapters: Sequence[str] = (),
    ) -> list[Answer]:
        """Complete all prompts at once, greedily, with exactly `new_tokens` each.

        Args:
            prompts: token ids.
            new_tokens: of each answer.
            grammar: what each must be.
            adapters: of each; none if not given.
        """
        names = adapters or [""] * len(prompts)

        async def run() -> list[Answer]:
            params = SamplingParams(
                temperature=0.0, max_new_tokens=new_tokens, min_new_tokens=new_tokens
            )
            # A namespace of its own: no run finds the prompts of an earlier one in the cache.
            namespace = str(time.perf_counter())
            answered = await asyncio.gather(
                *(
                    self._speak(0, prompt, params, namespace, grammar, name)
                    for prompt, name in zip(prompts, names, strict=True)
                )
            )
            return [answer for answer, _ in answered]

        return asyncio.run(run())

    def rest(self) -> None:
        """See `Stage`."""
        rest(os.getpid())

    def close(self) -> None:
        """See `Stage`."""
        self._engine.close()

    async def _play(self, scene: Scene) -> list[Answer]:
        lore = self._ids(scene.draw("lore"), scene.lore)
        params = SamplingParams(max_new_tokens=scene.reply, min_new_tokens=scene.reply)

        async def talk(number: int) -> list[Answer]:
            draw = scene.draw(f"npc {number}")
            history = lore + self._ids(draw, scene.persona)
            answers = []
            for turn in range(scene.turns):
                await asyncio.sleep(pause_s(draw, scene.thinking_s))
                history += self._ids(draw, scene.said)
                answer, ids = await self._speak(turn, history, params)
                answers.append(answer)
                history += ids
            return answers

        async def intrude(number: int) -> list[Answer]:
            await asyncio.sleep(scene.intrusion_s * (number + 1))
            prompt = self._ids(scene.draw(f"intruder {number}"), scene.intruder)
            await self._speak(0, prompt, SamplingParams(max_new_tokens=1))
            return []

        played = await asyncio.gather(
            *(talk(number) for number in range(scene.npcs)),
            *(intrude(number) for number in range(scene.intruders)),
        )
        return [answer for answers in played for answer in answers]

    async def _speak(
        self,
        turn: int,
        prompt: Sequence[int],
        params: SamplingParams,
        namespace: str = "",
        grammar: CompiledGrammar | None = None,
        adapter: str = "",
    ) -> tuple[Answer, list[int]]:
        answer = Answer(turn, asked=time.perf_counter())
        generation = self._engine.submit(
            list(prompt), params, namespace=namespace, grammar=grammar, adapter=adapter
        )
        async for delta in generation:
            if delta.tokens:
                answer.receive(time.perf_counter(), len(delta.tokens))
        completion = await generation.result()
        usage = completion.usage
        answer.generated, answer.prompted = usage.generated_tokens, usage.prompt_tokens
        answer.cached = usage.cached_tokens
        return answer, list(completion.token_ids)

    def _ids(self, draw: random.Random, count: int) -> list[int]:
        return [draw.randrange(self._vocab_size) for _ in range(count)]
