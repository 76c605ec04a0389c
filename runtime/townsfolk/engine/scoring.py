"""How likely given texts are, without anything being drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from townsfolk.engine.errors import InvalidPromptError
from townsfolk.engine.generation import Generation
from townsfolk.engine.interface import TextEngine
from townsfolk.engine.outputs import Completion, FinishReason, TokenInfo, Usage
from townsfolk.sampling.params import SamplingParams

_AT_ONCE = 64  # requests; the engine takes only so many
_SCORED = SamplingParams(max_new_tokens=1, logprobs=0)


async def score(
    engine: TextEngine,
    prompt_ids: Sequence[int],
    options: Sequence[Sequence[int]],
    *,
    priority: int = 0,
    namespace: str = "",
    adapter: str = "",
) -> list[Completion]:
    """Return how likely the tokens of each option are behind a prompt.

    They share the KV of the prompt, which is computed once, and go through the model in batches.

    Args:
        engine: has the model.
        prompt_ids: at least one token.
        options: tokens of each, at least one.
        priority: larger goes first; -100 to 100.
        namespace: see `Engine.submit`.
        adapter: likewise.

    Returns:
        for each option its tokens with log-probabilities, in nats, as `prompt_tokens`; and what it
        cost.

    Raises:
        InvalidPromptError: the prompt or an option is empty.
        EngineError: as `Engine.submit`, or a request failed.
    """
    if not prompt_ids:
        raise InvalidPromptError("the prompt is empty: give at least one token")
    if not all(options):
        raise InvalidPromptError("an option has no tokens")
    completions: list[Completion] = []
    if not adapter:
        completions = await _together(engine, prompt_ids, options, priority, namespace)
    for first in range(len(completions), len(options), _AT_ONCE):
        completions += await _each(
            engine, prompt_ids, options[first : first + _AT_ONCE], priority, namespace, adapter
        )
    return completions


async def _together(
    engine: TextEngine,
    prompt_ids: Sequence[int],
    options: Sequence[Sequence[int]],
    priority: int,
    namespace: str,
) -> list[Completion]:
    """Score the first options, as many as go through the model together.

    The prompt is computed for that if it is not in the cache.
    """
    cached = shared = len(prompt_ids) - 1
    is_computed = shared == 0
    found: list[Completion] = []
    while len(found) < len(options):
        scored = await engine.branch(prompt_ids, options[len(found) :], namespace)
        if not scored and is_computed:
            break
        if not scored:
            cached, is_computed = await _compute(engine, prompt_ids, priority, namespace), True
        for logprobs in scored:
            option = options[len(found)]
            usage = Usage(shared + 1 + len(option), shared if found else cached, 0, 0.0, 0.0, 0)
            infos = tuple(map(TokenInfo, option, logprobs))
            found.append(Completion("", (), FinishReason.END, usage, prompt_tokens=infos))
    return found


async def _compute(
    engine: TextEngine, prompt_ids: Sequence[int], priority: int, namespace: str
) -> int:
    """Have all of a prompt but its last token computed; return how much was in the cache."""
    last = len(prompt_ids) - 1
    prompt = engine.submit(
        prompt_ids, _SCORED, priority=priority, namespace=namespace, scored_from=last
    )
    try:
        return (await prompt.result()).usage.cached_tokens
    except BaseException:
        prompt.cancel()
        raise


async def _each(
    engine: TextEngine,
    prompt_ids: Sequence[int],
    options: Sequence[Sequence[int]],
    priority: int,
    namespace: str,
    adapter: str,
) -> list[Completion]:
    generations: list[Generation] = []
    try:
        for option in options:
            generations.append(
                engine.submit(
                    [*prompt_ids, *option],
                    _SCORED,
                    priority=priority,
                    namespace=namespace,
                    adapter=adapter,
                    scored_from=len(prompt_ids),
                )
            )
        return [*await asyncio.gather(*(each.result() for each in generations))]
    except BaseException:
        for each in generations:
            each.cancel()
        raise
