"""Episodes: a character that plays, whose game rewards it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Required, TypedDict

from townsfolk.client.actions import Actions, Function
from townsfolk.client.arguments import check_options, message, milliseconds
from townsfolk.client.connection import CALL_TIMEOUT_S, LOAD_TIMEOUT_S, Connection
from townsfolk.client.portal import Portal
from townsfolk.v1 import episode_pb2 as pb
from townsfolk.v1.dialogue_pb2 import ActionSpec, Persona, SessionConfig
from townsfolk.v1.sampling_pb2 import SamplingParams


@dataclass(frozen=True, slots=True)
class Act:
    """What a character did.

    Attributes:
        action: the name of the action.
        arguments: the action's.
        speech: what the character said before.
        message: all that was recorded.
    """

    action: str
    arguments: dict[str, Any]
    speech: str
    message: pb.EpisodeAct


class AsyncEpisode:
    """An episode that is open; see `AsyncRuntime.open_episode`."""

    def __init__(self, connection: Connection, episode_id: str) -> None:
        """Made by `AsyncRuntime.open_episode`."""
        self.episode_id = episode_id
        self._connection = connection

    @classmethod
    async def open(cls, connection: Connection, config: pb.EpisodeConfig) -> AsyncEpisode:
        """Open an episode; see `AsyncRuntime.open_episode`."""
        request = pb.OpenEpisodeRequest(config=config)
        response: pb.OpenEpisodeResponse = await connection.call(
            connection.stub.OpenEpisode, request, LOAD_TIMEOUT_S
        )
        return cls(connection, response.episode_id)

    async def act(self, text: str, *, speaker: str = "", actions: Iterable[str] = ()) -> Act:
        """Tell the character what it observes, and have it act.

        Args:
            text: What is said to it, or happens.
            speaker: Who says it; nobody where it happens.
            actions: The names of those that it may take now; none for all.
        """
        seen = message(pb.Observation, text=text, speaker=speaker, actions=list(actions))
        request = pb.ActRequest(episode_id=self.episode_id, observation=seen)
        response: pb.ActResponse = await self._connection.call(self._connection.stub.Act, request)
        act = response.act
        return Act(act.action, json.loads(act.arguments_json), act.speech, act)

    async def reward(self, value: float) -> None:
        """Say how good the last act was."""
        request = message(pb.RewardEpisodeRequest, episode_id=self.episode_id, value=value)
        await self._connection.call(self._connection.stub.RewardEpisode, request)

    async def end(self, *, truncated: bool = False, drop: bool = False) -> float:
        """End the episode; return all rewards together.

        Args:
            truncated: It is broken off before it was over.
            drop: Nobody is to learn from it.
        """
        request = pb.EndEpisodeRequest(episode_id=self.episode_id, truncated=truncated, drop=drop)
        response: pb.EndEpisodeResponse = await self._connection.call(
            self._connection.stub.EndEpisode, request
        )
        return response.reward


class Episode:
    """An episode that is open, for code without asyncio; see `AsyncEpisode`."""

    def __init__(self, episode: AsyncEpisode, portal: Portal) -> None:
        """Made by `Runtime.open_episode`."""
        self._episode, self._portal = episode, portal

    @property
    def episode_id(self) -> str:
        """Its id."""
        return self._episode.episode_id

    def act(self, text: str, *, speaker: str = "", actions: Iterable[str] = ()) -> Act:
        """Have the character act; see `AsyncEpisode.act`."""
        return self._portal.run(self._episode.act(text, speaker=speaker, actions=actions))

    def reward(self, value: float) -> None:
        """Say how good the last act was."""
        self._portal.run(self._episode.reward(value))

    def end(self, *, truncated: bool = False, drop: bool = False) -> float:
        """End the episode; return all rewards together; see `AsyncEpisode.end`."""
        return self._portal.run(self._episode.end(truncated=truncated, drop=drop))


class EpisodeOptions(TypedDict, total=False):
    """The options of an episode, as EpisodeConfig of the contract has them; only `task` must be."""

    task: Required[str]
    """By which those who learn ask for it."""
    group: str
    """What it is compared with: episodes that began alike."""
    adapter: str
    """The adapter that the character plays with; the model alone if not given."""
    lore: Iterable[str]
    """Ids given to `register_lore`."""
    temperature: float | None
    """Of all that it draws."""
    seed: int | None
    """Of all that it draws."""
    speech_tokens: int
    """The most that it says before it acts; it acts in silence if not given."""
    episode_id: str
    """A name for the episode; empty lets the runtime choose."""


def episode_config(
    persona: Persona, actions: Iterable[ActionSpec | Function], options: EpisodeOptions
) -> pb.EpisodeConfig:
    """Return what an episode is opened with; see `AsyncRuntime.open_episode`.

    Raises:
        InvalidArgumentError: A field can't hold its value.
        TypeError: There is no such option, or no task.
    """
    check_options("an episode", options, EpisodeOptions)
    if "task" not in options:
        raise TypeError("an episode needs a task")
    drawing = {name: options.get(name) for name in ("temperature", "seed")}
    session = message(
        SessionConfig,
        persona=persona,
        actions=Actions(actions).messages,
        lore_ids=list(options.get("lore", ())),
        adapter=options.get("adapter", ""),
        sampling=message(SamplingParams, **drawing),
    )
    return message(
        pb.EpisodeConfig,
        episode_id=options.get("episode_id", ""),
        task=options["task"],
        group=options.get("group", ""),
        session=session,
        speech_tokens=options.get("speech_tokens", 0),
    )


async def take_episodes(
    connection: Connection, task: str, most: int, wait_s: float
) -> list[pb.Trajectory]:
    """Take episodes that have ended; see `AsyncRuntime.take_episodes`.

    Raises:
        InvalidArgumentError: A field can't hold its value.
    """
    wait_ms = milliseconds("wait_s", wait_s)
    request = message(pb.TakeEpisodesRequest, task=task, most=most, wait_ms=wait_ms)
    response: pb.TakeEpisodesResponse = await connection.call(
        connection.stub.TakeEpisodes, request, wait_s + CALL_TIMEOUT_S
    )
    return list(response.episodes)
