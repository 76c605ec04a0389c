"""Plays episodes of an environment with a runtime, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from townsfolk.client import AsyncRuntime
from townsfolk.learning.environment import Action, Environment, EnvironmentSource, observed
from townsfolk.v1.episode_pb2 import Trajectory

MAX_ACTS = 256

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class EpisodeSeed:
    """What an episode begins with.

    Attributes:
        world: of the environment: episodes of one are a group.
        draws: of the character's draws.
    """

    world: int
    draws: int


class EnvironmentFailedError(RuntimeError):
    """The game's own code failed."""


class Players:
    """Plays episodes, as many at once as there are places."""

    def __init__(
        self,
        runtime: AsyncRuntime,
        source: EnvironmentSource,
        task: str,
        *,
        places: int,
        temperature: float = 1.0,
        held_out: bool = False,
    ) -> None:
        """Play with a runtime.

        Args:
            runtime: Where the character is.
            source: Of the environments; each place has its own.
            task: What episodes are called by.
            places: How many are played at once.
            temperature: Of the draws.
            held_out: Whether opponents are those that nobody learns from.
        """
        self._runtime = runtime
        self._task = task
        self._temperature = temperature
        self._free: asyncio.Queue[Environment] = asyncio.Queue()
        for _ in range(places):
            self._free.put_nowait(source.open(held_out=held_out))

    async def play(self, seeds: Iterable[EpisodeSeed], adapter: str) -> list[float]:
        """Play an episode of each seed to its end; return what they came to.

        Raises:
            EnvironmentFailedError: An environment failed.
            TownsfolkError: The runtime did.
        """
        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(self._play(seed, adapter)) for seed in seeds]
        return [each.result() for each in playing]

    async def take(self, count: int, wait_s: float = 30.0) -> list[Trajectory]:
        """Take so many episodes, once as many have ended."""
        taken: list[Trajectory] = []
        while len(taken) < count:
            wanted = min(count - len(taken), 1024)
            found = await self._runtime.take_episodes(self._task, wanted, wait_s)
            taken += found
        return taken

    async def _play(self, seed: EpisodeSeed, adapter: str) -> float:
        environment = await self._free.get()
        try:
            return await self._run(environment, seed, adapter)
        finally:
            self._free.put_nowait(environment)

    async def _run(self, environment: Environment, seed: EpisodeSeed, adapter: str) -> float:
        seen = observed(_called(environment.reset, seed.world))
        episode = await self._runtime.open_episode(
            environment.persona,
            environment.actions,
            task=self._task,
            group=str(seed.world),
            adapter=adapter,
            temperature=self._temperature,
            seed=seed.draws,
            speech_tokens=getattr(environment, "speech_tokens", 0),
        )
        is_over = False
        for _ in range(MAX_ACTS):
            act = await episode.act(seen.text, speaker=seen.speaker, actions=seen.actions)
            action = Action(act.action, act.arguments, act.speech)
            told, reward, is_over = _called(environment.step, action)
            await episode.reward(reward)
            if is_over:
                break
            seen = observed(told)
        return await episode.end(truncated=not is_over)


def _called(function: Callable[..., Result], *arguments: object) -> Result:
    """Call the game's own code, and say so where it fails."""
    try:
        return function(*arguments)
    except Exception as error:
        raise EnvironmentFailedError(
            f"the environment failed in {function.__name__}: {type(error).__name__}: {error}"
        ) from error


def seeds(worlds: Sequence[int], group: int, first: int) -> list[EpisodeSeed]:
    """Return seeds for a group of episodes in each world, whose draws differ."""
    return [
        EpisodeSeed(world, first + place * group + number)
        for place, world in enumerate(worlds)
        for number in range(group)
    ]
