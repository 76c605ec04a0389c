"""The client for ordinary code: a connection that drives its asyncio twin in the background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Unpack

from townsfolk.client.actions import Function
from townsfolk.client.aio import AsyncRuntime
from townsfolk.client.choice import Choice, ChoiceOptions
from townsfolk.client.episode import Episode, EpisodeOptions
from townsfolk.client.npc_options import NpcOptions
from townsfolk.client.portal import Portal, call_in_loop
from townsfolk.client.process import RuntimeProcess
from townsfolk.client.sync_frames import Frames
from townsfolk.client.sync_npc import Npc
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.dialogue_pb2 import (
    ActionSpec,
    Persona,
)
from townsfolk.v1.episode_pb2 import Trajectory
from townsfolk.v1.sampling_pb2 import Grammar, SamplingParams


class Runtime:
    """A connection to a runtime, for code without asyncio; see `AsyncRuntime`."""

    def __init__(self, runtime: AsyncRuntime, portal: Portal) -> None:
        """Prefer `connect` or `launch`."""
        self._runtime = runtime
        self._portal = portal

    @classmethod
    def connect(
        cls, address: str, token: str = "", *, root_certificate: bytes | None = None
    ) -> Runtime:
        """Use a runtime that is already running; see `AsyncRuntime.connect`."""
        portal = Portal()
        make = call_in_loop(AsyncRuntime.connect, address, token, root_certificate=root_certificate)
        return cls(portal.run(make), portal)

    @classmethod
    def launch(cls, *arguments: str, command: Sequence[str] = (), share: bool = False) -> Runtime:
        """Start a runtime as a child process that ends with this one; see `AsyncRuntime.launch`."""
        portal = Portal()
        make = call_in_loop(AsyncRuntime.launch, *arguments, command=command, share=share)
        return cls(portal.run(make), portal)

    def __enter__(self) -> Runtime:
        try:
            self._portal.run(self._runtime.__aenter__())
        except BaseException:
            self._portal.run(self._runtime.close())
            self._portal.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._portal.run(self._runtime.close())
        finally:
            self._portal.close()

    @property
    def process(self) -> RuntimeProcess | None:
        """The launched runtime: its log, whether it runs; None for one that ran already."""
        return self._runtime.process

    def npc(self, persona: Persona, **options: Unpack[NpcOptions]) -> Npc:
        """Return a character to talk to; see `AsyncRuntime.npc`."""
        make = call_in_loop(self._runtime.npc, persona, **options)
        return Npc(self._portal, self._portal.run(make))

    def save(self) -> bytes:
        """Return what all characters remember, for a saved game; see `AsyncRuntime.save`."""
        saved: bytes = self._portal.run(call_in_loop(self._runtime.save))
        return saved

    def restore(self, saved: bytes) -> None:
        """Have all characters go on from a saved game; see `AsyncRuntime.restore`."""
        self._portal.run(self._runtime.restore(saved))

    def register_lore(self, lore_id: str, text: str) -> int:
        """Register world knowledge that characters can share; return its length in tokens."""
        return self._portal.run(self._runtime.register_lore(lore_id, text))

    def remove_lore(self, lore_id: str) -> None:
        """Forget world knowledge; characters that were opened with it keep it."""
        self._portal.run(self._runtime.remove_lore(lore_id))

    def generate(
        self,
        prompt: str | Sequence[int],
        sampling: SamplingParams | None = None,
        *,
        echo: bool = False,
        priority: int = 0,
        timeout_s: float | None = None,
        grammar: Grammar | None = None,
        adapter: str = "",
    ) -> Iterator[pb.GenerateResponse]:
        """Complete a prompt with no character involved; yield the pieces."""
        pieces = self._runtime.generate(
            prompt,
            sampling,
            echo=echo,
            priority=priority,
            timeout_s=timeout_s,
            grammar=grammar,
            adapter=adapter,
        )
        return self._portal.iterate(pieces)

    def choose(
        self,
        prompt: str | Sequence[int],
        options: Iterable[str],
        *,
        priority: int = 0,
        adapter: str = "",
        **how: Unpack[ChoiceOptions],
    ) -> Choice:
        """Choose among texts behind a prompt; see `AsyncRuntime.choose`."""
        choice = self._runtime.choose(prompt, options, priority=priority, adapter=adapter, **how)
        return self._portal.run(choice)

    def info(self) -> pb.GetRuntimeInfoResponse:
        """Return what runs there: model, device, limits."""
        return self._portal.run(self._runtime.info())

    def watch_stats(self, interval_s: float = 1.0) -> Iterator[pb.WatchStatsResponse]:
        """Yield the engine's counters, again and again."""
        return self._portal.iterate(self._runtime.watch_stats(interval_s))

    def frames(self, frames_per_second: float = 60, policy: str = "balanced") -> Frames:
        """Have the runtime compute between this program's frames; see `AsyncRuntime.frames`."""
        return Frames(self._portal, self._runtime.frames(frames_per_second, policy))

    def release(self, *, until_warm: bool = False) -> int:
        """Have the runtime give its model's memory back; see `AsyncRuntime.release`."""
        return self._portal.run(self._runtime.release(until_warm=until_warm))

    def warm(self) -> int:
        """Have the runtime load its model, and wait for that; see `AsyncRuntime.warm`."""
        return self._portal.run(self._runtime.warm())

    def load_adapter(self, name: str) -> pb.Adapter:
        """Load an adapter of the runtime's folder; see `AsyncRuntime.load_adapter`."""
        return self._portal.run(self._runtime.load_adapter(name))

    def unload_adapter(self, name: str) -> None:
        """Let go of an adapter; answers under way end with it."""
        self._portal.run(self._runtime.unload_adapter(name))

    def adapters(self) -> list[pb.Adapter]:
        """Return the adapters of the runtime's folder, loaded or not."""
        return self._portal.run(self._runtime.adapters())

    def open_episode(
        self,
        persona: Persona,
        actions: Iterable[ActionSpec | Function],
        **options: Unpack[EpisodeOptions],
    ) -> Episode:
        """Open an episode; see `AsyncRuntime.open_episode`."""
        made = self._portal.run(self._runtime.open_episode(persona, actions, **options))
        return Episode(made, self._portal)

    def take_episodes(self, task: str, most: int = 64, wait_s: float = 0.0) -> list[Trajectory]:
        """Take episodes of a task that have ended; see `AsyncRuntime.take_episodes`."""
        return self._portal.run(self._runtime.take_episodes(task, most, wait_s))

    def sessions(self) -> list[pb.SessionSummary]:
        """Return the runtime's open sessions."""
        return self._portal.run(self._runtime.sessions())

    def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session's configuration and transcript: what a saved game keeps."""
        return self._portal.run(self._runtime.session(session_id))

    def close_session(self, session_id: str) -> None:
        """End a session, whoever opened it."""
        self._portal.run(self._runtime.close_session(session_id))
