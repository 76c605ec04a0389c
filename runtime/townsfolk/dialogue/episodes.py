"""All episodes of a runtime: those that are played, and those that wait for who learns."""

import asyncio
from collections import OrderedDict

from townsfolk.dialogue.context import ContextWindow
from townsfolk.dialogue.episode import Act, Episode, EpisodeConfig, Observation, Trajectory
from townsfolk.dialogue.errors import AlreadyExistsError, LimitReachedError, NotFoundError
from townsfolk.dialogue.sessions import Sessions

MAX_TOKENS = 8 * 1024 * 1024
"""The most tokens that are kept, of prompts and of what was drawn: 4 to 8 bytes each."""


class Episodes:
    """Opens, finds and ends episodes. All methods belong to one event loop."""

    def __init__(self, sessions: Sessions, max_tokens: int = MAX_TOKENS) -> None:
        """Have none yet; episodes are sessions of these."""
        self._sessions = sessions
        self._max_tokens = max_tokens
        self._open: dict[str, Episode] = {}
        self._over: OrderedDict[str, Trajectory] = OrderedDict()
        self._kept = 0  # tokens of all of them
        self._ended = asyncio.Condition()

    def open(self, config: EpisodeConfig, window: ContextWindow | None = None) -> Episode:
        """Open an episode; see `Sessions.open`.

        Raises:
            AlreadyExistsError: There is a session of this id, or an episode that nobody has taken.
            DialogueError: As `Sessions.open`.
            LimitReachedError: Too much is kept.
        """
        self._check_room()
        if config.episode_id in self._over:
            raise AlreadyExistsError(
                f"episode_id: an episode {config.episode_id!r} has ended and waits to be taken: "
                "take it first, or choose another"
            )
        episode = Episode(config, self._sessions.open(config.of_session, window))
        self._open[episode.session.id] = episode
        return episode

    async def act(self, episode_id: str, observation: Observation) -> Act:
        """Have an episode's character act; see `Episode.act`.

        Raises:
            NotFoundError: There is no such episode.
            LimitReachedError: Too much is kept.
        """
        self._check_room()
        act = await self._get(episode_id).act(observation)
        self._kept += act.tokens
        return act

    def reward(self, episode_id: str, value: float) -> None:
        """Reward the last act of an episode; see `Episode.reward`.

        Raises:
            NotFoundError: There is no such episode.
        """
        self._get(episode_id).reward(value)

    async def end(
        self, episode_id: str, *, truncated: bool = False, drop: bool = False
    ) -> Trajectory:
        """End an episode; it waits for whoever takes it, unless it is to be dropped.

        Raises:
            NotFoundError: There is no such episode.
            NotNowError: Its character is acting.
        """
        episode = self._get(episode_id)
        episode.check_over()
        del self._open[episode_id]
        played = episode.played
        played.truncated = truncated
        if played.acts and not drop:
            self._over[episode_id] = played
        else:
            self._kept -= played.tokens
        await self._sessions.close(episode_id)
        async with self._ended:
            self._ended.notify_all()
        return played

    async def take(
        self, task: str, most: int, wait_s: float = 0.0, max_tokens: int = MAX_TOKENS
    ) -> tuple[list[Trajectory], int]:
        """Give episodes of a task that have ended, and forget them.

        Args:
            task: Of which.
            most: How many.
            wait_s: How long to wait for the first.
            max_tokens: How many tokens they have together; the first comes in any case.

        Returns:
            them, oldest first, and how many more there are.
        """

        def waiting() -> list[Trajectory]:
            return [each for each in self._over.values() if each.task == task]

        if wait_s > 0:
            try:
                async with asyncio.timeout(wait_s), self._ended:
                    await self._ended.wait_for(waiting)
            except TimeoutError:
                pass
        found, taken, tokens = waiting(), list[Trajectory](), 0
        for each in found[:most]:
            tokens += each.tokens
            if taken and tokens > max_tokens:
                break
            taken.append(each)
            self._kept -= each.tokens
            del self._over[each.episode_id]
        return taken, len(found) - len(taken)

    def __len__(self) -> int:
        return len(self._open)

    def _get(self, episode_id: str) -> Episode:
        episode = self._open.get(episode_id)
        if episode is None:
            raise NotFoundError(f"episode_id: no episode {episode_id!r} is open; open it first")
        return episode

    def _check_room(self) -> None:
        for episode_id in [*self._open]:
            # Somebody has closed it as a session, or it was idle for too long.
            if self._open[episode_id].session.is_closed:
                self._kept -= self._open.pop(episode_id).played.tokens
        if self._kept >= self._max_tokens:
            raise LimitReachedError(
                f"{self._kept} tokens of episodes are kept, the most: take those that have ended "
                "(TakeEpisodes), or end episodes with drop"
            )
