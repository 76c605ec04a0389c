"""The asyncio client: a connection to a runtime, launched or already running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Unpack

from townsfolk.client.actions import Actions, Function
from townsfolk.client.arguments import check_options, message, milliseconds, prompt_field
from townsfolk.client.arguments import token as checked_token
from townsfolk.client.choice import Choice, ChoiceOptions, choose_request
from townsfolk.client.connection import CALL_TIMEOUT_S, LOAD_TIMEOUT_S, Connection
from townsfolk.client.episode import AsyncEpisode, EpisodeOptions, episode_config, take_episodes
from townsfolk.client.frames import AsyncFrames
from townsfolk.client.npc import AsyncNpc
from townsfolk.client.npc_options import NpcOptions, session_config
from townsfolk.client.process import Endpoint, RuntimeProcess
from townsfolk.client.session_host import SessionHost
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.dialogue_pb2 import ActionSpec, Persona
from townsfolk.v1.episode_pb2 import Trajectory
from townsfolk.v1.sampling_pb2 import Grammar, SamplingParams
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

# A report of frames that takes longer says nothing any more.
REPORT_TIMEOUT_S = 1.0


class AsyncRuntime:
    """A connection to a runtime. Use it as an async context manager.

    Every call raises a `TownsfolkError` of the fitting kind when it fails. At the end the sessions
    of its characters are closed, but for those that were left with `AsyncNpc.disconnect`.
    """

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        process: RuntimeProcess | None = None,
        root_certificate: bytes | None = None,
    ) -> None:
        """Prefer `connect` or `launch`; the connection is made on entering the context."""
        self.connection = Connection(endpoint, process, root_certificate)
        self._host = SessionHost(self.connection)

    @classmethod
    def connect(
        cls, address: str, token: str = "", *, root_certificate: bytes | None = None
    ) -> AsyncRuntime:
        """Use a runtime that is already running.

        Args:
            address: `host:port`.
            token: What `townsfolk serve --auth-token` was given; empty when it asks for none.
            root_certificate: PEM of the certificate to trust; turns TLS on.

        Raises:
            InvalidArgumentError: The token can't travel in a header.
        """
        return cls(Endpoint(address, checked_token(token)), root_certificate=root_certificate)

    @classmethod
    def launch(
        cls, *arguments: str, command: Sequence[str] = (), share: bool = False
    ) -> AsyncRuntime:
        """Start a runtime as a child process that ends with this one.

        Args:
            arguments: Arguments for `townsfolk serve`, such as `"--model", "path/to/model"`.
            command: The program to run instead of `python -m townsfolk`.
            share: Share one runtime with other games of this user that share, of the same model
                and settings; it ends with the last of them. None sees another's sessions.
        """
        shared = ("--share",) if share else ()
        return cls(process=RuntimeProcess((*arguments, *shared), command=command))

    @property
    def is_open(self) -> bool:
        """Whether it was entered and not closed yet; a runtime need not be there."""
        return self.connection.is_open

    @property
    def stub(self) -> TownsfolkServiceStub:
        """The calls themselves, for what has no method here."""
        return self.connection.stub

    @property
    def process(self) -> RuntimeProcess | None:
        """The runtime, where it was launched."""
        return self.connection.process

    async def __aenter__(self) -> AsyncRuntime:
        await self.connection.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the sessions and the connection, and end a launched runtime."""
        if self.is_open:
            await asyncio.gather(*(npc.close() for npc in [*self._host.open]))
        await self.connection.close()

    def npc(self, persona: Persona, **options: Unpack[NpcOptions]) -> AsyncNpc:
        """Return a character to talk to; its session opens with the first use.

        Args:
            persona: Who the character is.
            options: See `NpcOptions`.

        Raises:
            InvalidArgumentError: A field can't hold its value.
        """
        check_options("a character", options, NpcOptions)
        actions = Actions(options.get("actions", ()))
        save_key = options.get("save_key") or persona.name
        history = list(options.get("history", ())) or self._host.cast.take_history(save_key)
        config = session_config(persona, options, actions, history)
        npc = AsyncNpc(self._host, config, actions, save_key)
        self._host.cast.add(npc)
        return npc

    def save(self) -> bytes:
        """Return what all characters remember, for a saved game.

        Those that were restored and not made again yet are in it as they were.

        Raises:
            InvalidArgumentError: Two characters with open sessions have the same `save_key`.
        """
        return self._host.cast.save()

    async def restore(self, saved: bytes) -> None:
        """Have all characters go on from a saved game.

        Those that are there close their sessions and open them with what they remembered then;
        those that the saved game does not know begin anew. Those that `npc` makes later without a
        history take theirs from it, by their `save_key`.

        Raises:
            InvalidArgumentError: This is no saved game of `save`.
        """
        await self._host.cast.restore(saved)

    async def register_lore(self, lore_id: str, text: str) -> int:
        """Register world knowledge that characters can share; return its length in tokens."""
        return await self._host.lore.register(lore_id, text)

    async def remove_lore(self, lore_id: str) -> None:
        """Forget world knowledge; characters that were opened with it keep it.

        Raises:
            NotFoundError: There is no such lore.
        """
        await self._host.lore.remove(lore_id)

    async def generate(
        self,
        prompt: str | Sequence[int],
        sampling: SamplingParams | None = None,
        *,
        echo: bool = False,
        priority: int = 0,
        timeout_s: float | None = None,
        grammar: Grammar | None = None,
        adapter: str = "",
    ) -> AsyncIterator[pb.GenerateResponse]:
        """Complete a prompt, as text or token ids, with no character involved; yield the pieces.

        Args:
            prompt: The text or the token ids.
            sampling: How to sample.
            echo: Yield the prompt's tokens first.
            priority: Larger goes first. -100 to 100.
            timeout_s: What the whole call may take.
            grammar: What the completion must be; see `json_schema`, `regex`, `lark`, `choices`.
            adapter: The adapter that completes it; see `npc`.
        """
        request = message(
            pb.GenerateRequest,
            sampling=sampling,
            echo=echo,
            priority=priority,
            grammar=grammar,
            adapter=adapter,
            **prompt_field(prompt),
        )
        timeout_s = milliseconds("timeout_s", timeout_s) / 1000 or None
        async for response in self.connection.stream(self.stub.Generate, request, timeout_s):
            yield response

    async def choose(
        self,
        prompt: str | Sequence[int],
        options: Iterable[str],
        *,
        priority: int = 0,
        adapter: str = "",
        **how: Unpack[ChoiceOptions],
    ) -> Choice:
        """Say how likely each of some texts is behind a prompt, and choose one.

        Args:
            prompt: A text or token ids; white space between it and an option belongs to the option.
            options: The texts.
            priority: Larger goes first. -100 to 100.
            adapter: The adapter by which they are likely; see `npc`.
            how: See `ChoiceOptions`.
        """
        request = choose_request(
            options, how, priority=priority, adapter=adapter, **prompt_field(prompt)
        )
        return await self._host.choose(request)

    async def info(self) -> pb.GetRuntimeInfoResponse:
        """Return what runs there: model, device, limits."""
        return await self._host.info()

    async def watch_stats(
        self, interval_s: float = 1.0
    ) -> AsyncGenerator[pb.WatchStatsResponse, None]:
        """Yield the engine's counters, again and again."""
        request = pb.WatchStatsRequest(interval_ms=milliseconds("interval_s", interval_s))
        async for response in self.connection.stream(self.stub.WatchStats, request):
            yield response

    def frames(self, frames_per_second: float = 60, policy: str = "balanced") -> AsyncFrames:
        """Have the runtime compute between this program's frames, while in the context returned.

        Args:
            frames_per_second: What the program aims for. 1 to 1000.
            policy: "smooth", "balanced" or "fast": what the runtime gives up for frames; see
                PacePolicy of the contract.

        Raises:
            InvalidArgumentError: There is no such policy, or nobody draws so many frames.
        """
        return AsyncFrames(self._report_frames, frames_per_second, policy)

    async def release(self, *, until_warm: bool = False) -> int:
        """Have the runtime give its model's memory back; return what it takes then, in MiB.

        Sessions stay, and answers under way go on when the model is back.

        Args:
            until_warm: Keep the model away until `warm` is called; otherwise the next request that
                comes loads it.
        """
        request = pb.ReleaseRequest(until_warm=until_warm)
        response: pb.ReleaseResponse = await self.connection.call(self.stub.Release, request)
        return response.memory_used_mib

    async def warm(self, *, timeout_s: float = LOAD_TIMEOUT_S) -> int:
        """Have the runtime load its model, and wait for that; return what it takes then, in MiB."""
        response: pb.WarmResponse = await self.connection.call(
            self.stub.Warm, pb.WarmRequest(), timeout_s
        )
        return response.memory_used_mib

    async def load_adapter(self, name: str) -> pb.Adapter:
        """Load an adapter of the runtime's folder, as its files are now; return what it takes.

        Raises:
            NotFoundError: There is none of this name.
            FailedPreconditionError: It can't be used; the message says why.
            ResourceExhaustedError: There is no room for it.
        """
        request = message(pb.LoadAdapterRequest, name=name)
        response: pb.LoadAdapterResponse = await self.connection.call(
            self.stub.LoadAdapter, request, LOAD_TIMEOUT_S
        )
        return response.adapter

    async def unload_adapter(self, name: str) -> None:
        """Let go of an adapter; answers under way end with it.

        Raises:
            NotFoundError: None of this name is loaded.
        """
        await self.connection.call(
            self.stub.UnloadAdapter, message(pb.UnloadAdapterRequest, name=name)
        )

    async def adapters(self) -> list[pb.Adapter]:
        """Return the adapters of the runtime's folder, loaded or not."""
        response: pb.ListAdaptersResponse = await self.connection.call(
            self.stub.ListAdapters, pb.ListAdaptersRequest()
        )
        return list(response.adapters)

    async def open_episode(
        self,
        persona: Persona,
        actions: Iterable[ActionSpec | Function],
        **options: Unpack[EpisodeOptions],
    ) -> AsyncEpisode:
        """Open an episode: the character plays, and the runtime records it.

        Args:
            persona: Who the character is.
            actions: What it can do, as `npc` takes it; functions are not called.
            options: `task`, and what may be left out: see `EpisodeOptions`.

        Raises:
            ResourceExhaustedError: Too many sessions are open, or too much is recorded.
        """
        config = episode_config(persona, actions, options)
        return await AsyncEpisode.open(self.connection, config)

    async def take_episodes(
        self, task: str, most: int = 64, wait_s: float = 0.0
    ) -> list[Trajectory]:
        """Take episodes of a task that have ended, oldest first; the runtime forgets them.

        Args:
            task: Of which.
            most: How many at most. 1 to 1024.
            wait_s: How long to wait for the first. At most 60.
        """
        return await take_episodes(self.connection, task, most, wait_s)

    async def sessions(self) -> list[pb.SessionSummary]:
        """Return the runtime's open sessions."""
        response: pb.ListSessionsResponse = await self.connection.call(
            self.stub.ListSessions, pb.ListSessionsRequest()
        )
        return list(response.sessions)

    async def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session's configuration and transcript: what a saved game keeps."""
        return await self._host.session(session_id)

    async def inspect(
        self, session_id: str, *, with_prompt: bool = True
    ) -> pb.InspectSessionResponse:
        """Return how a session's last turns went, and the prompt that the model saw last."""
        request = message(pb.InspectSessionRequest, session_id=session_id, with_prompt=with_prompt)
        response: pb.InspectSessionResponse = await self.connection.call(
            self.stub.InspectSession, request
        )
        return response

    async def errors(self) -> list[pb.ErrorReport]:
        """Return what calls of all clients failed with of late, oldest first."""
        response: pb.ListErrorsResponse = await self.connection.call(
            self.stub.ListErrors, pb.ListErrorsRequest()
        )
        return list(response.errors)

    async def close_session(self, session_id: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """End a session, whoever opened it."""
        await self._host.close_session(session_id, timeout_s)

    async def reconnect(self) -> None:
        """Make sure a runtime is there: restart a launched one that died.

        Raises:
            RuntimeUnavailableError: It can't be started, or this connection was closed.
        """
        await self._host.reconnect()

    async def _report_frames(self, request: pb.ReportFramesRequest) -> None:
        await self.connection.call(self.stub.ReportFrames, request, REPORT_TIMEOUT_S)
