"""The client for ordinary code: each object drives its asyncio twin on a loop in the background."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from townsfolk.client.actions import Function
from townsfolk.client.aio import NOT_CONNECTED, AsyncRuntime
from townsfolk.client.choice import Choice
from townsfolk.client.errors import RuntimeUnavailableError
from townsfolk.client.npc import AsyncNpc
from townsfolk.client.process import RuntimeProcess
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.dialogue_pb2 import ActionsNow, ActionSpec, Persona, SessionEvent, TranscriptEntry
from townsfolk.v1.sampling_pb2 import FinishReason, Grammar, SamplingParams, Usage

T = TypeVar("T")


class _Portal:
    """An event loop in a thread of its own, and the way into it."""

    def __init__(self) -> None:
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._end = asyncio.Event()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run_loop, name="townsfolk-client", daemon=True)
        self._thread.start()

    def _run_loop(self) -> None:
        # At its end a runner cancels the tasks that are left, and waits for them.
        with asyncio.Runner() as runner:
            self._ready.set_result(runner.get_loop())
            runner.run(self._wait())

    async def _wait(self) -> None:
        await self._end.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return its result; cancel it when the wait is broken off.

        Raises:
            RuntimeUnavailableError: The portal is closed.
        """
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise RuntimeUnavailableError(NOT_CONNECTED)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._ready.result())
        try:
            return future.result()
        except CancelledError:  # by `close`, in another thread
            raise RuntimeUnavailableError("the connection was closed") from None
        except BaseException:  # KeyboardInterrupt: the coroutine must not swallow the next item
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an async iterator yields."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if hasattr(items, "aclose"):
                with suppress(RuntimeUnavailableError):
                    self.run(items.aclose())

    def close(self) -> None:
        """End the loop and its thread."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._ready.result().call_soon_threadsafe(self._end.set)
        self._thread.join()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _call_in_loop(function: Any, *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **options)


class Turn:
    """An answer under way: an iterator of its text, piece by piece, that can be read once.

    After the iteration `text`, `finish_reason` and `usage` are set. A failed turn raises a
    `TownsfolkError` from the iteration, and `text` is what had come; the session lives on.
    """

    def __init__(self, portal: _Portal, turn: AsyncTurn) -> None:
        """Made by `Npc.say`."""
        self._portal = portal
        self._turn = turn

    @property
    def turn_id(self) -> str:
        """The turn's id."""
        return self._turn.turn_id

    @property
    def text(self) -> str:
        """The whole answer, once it is over."""
        return self._turn.text

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, once it is over."""
        return self._turn.finish_reason

    @property
    def dropped(self) -> tuple[TranscriptEntry, ...]:
        """Lines that the character forgot before this turn, for its context was full."""
        return self._turn.dropped

    @property
    def usage(self) -> Usage:
        """What the answer cost, once it is over."""
        return self._turn.usage

    @property
    def interrupted(self) -> bool:
        """Whether the answer was cut off; `text` is what the character remembers saying."""
        return self._turn.interrupted

    def interrupt(self, heard_characters: int | None = None) -> None:
        """Cut the answer off; see `AsyncTurn.interrupt`."""
        self._portal.run(self._turn.interrupt(heard_characters))

    def wait(self) -> Turn:
        """Read the answer to its end; return this turn."""
        self._portal.run(self._turn.wait())
        return self

    def events(self) -> Iterator[SessionEvent]:
        """Yield every event of the turn instead of its text alone: sentences, tokens, trims."""
        return self._portal.iterate(self._turn.events())

    def __iter__(self) -> Iterator[str]:
        return self._portal.iterate(self._turn)


class Npc:
    """A character to talk to; see `AsyncNpc`."""

    def __init__(self, portal: _Portal, npc: AsyncNpc) -> None:
        """Made by `Runtime.npc`."""
        self._portal = portal
        self._npc = npc

    @property
    def session_id(self) -> str:
        """The session's id; empty until it is open, unless one was chosen."""
        return self._npc.session_id

    @property
    def transcript(self) -> list[TranscriptEntry]:
        """The lines that the character remembers, as `history` of another session takes them."""
        return list(self._npc.transcript.entries)

    def open(self) -> Npc:
        """Open the session now instead of with the first use; return this object."""
        self._portal.run(self._npc.open())
        return self

    def say(
        self,
        text: str,
        speaker: str = "",
        *,
        sampling: SamplingParams | None = None,
        deadline_s: float | None = None,
        grammar: Grammar | None = None,
        actions: ActionsNow | Iterable[str] | None = None,
    ) -> Turn:
        """Say something to the character; iterate over the returned turn for the answer."""
        say = _call_in_loop(
            self._npc.say,
            text,
            speaker,
            sampling=sampling,
            deadline_s=deadline_s,
            grammar=grammar,
            actions=actions,
        )
        return Turn(self._portal, self._portal.run(say))

    def accept(self, action_id: str, result: str = "") -> None:
        """Say that an action is done; see `AsyncNpc.accept`."""
        self._portal.run(self._npc.accept(action_id, result))

    def reject(self, action_id: str, reason: str = "") -> None:
        """Say that an action is not done, and why; see `AsyncNpc.reject`."""
        self._portal.run(self._npc.reject(action_id, reason))

    def choose(
        self,
        options: Iterable[str],
        text: str = "",
        speaker: str = "",
        *,
        remember: bool = False,
        per_token: bool = False,
        draw: bool = False,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Choice:
        """Have the character choose among texts of yours; see `AsyncNpc.choose`."""
        choice = self._npc.choose(
            options,
            text,
            speaker,
            remember=remember,
            per_token=per_token,
            draw=draw,
            temperature=temperature,
            seed=seed,
        )
        return self._portal.run(choice)

    def notify(self, event: str) -> None:
        """Let the character learn of an event in the world, without an answer."""
        self._portal.run(self._npc.notify(event))

    def interrupt(self, turn_id: str = "", heard_characters: int | None = None) -> tuple[str, ...]:
        """Cut off a turn, or the current one and all that wait; see `AsyncNpc.interrupt`."""
        return self._portal.run(self._npc.interrupt(turn_id, heard_characters))

    def set_priority(self, priority: int) -> None:
        """Change the session's priority, -100 to 100."""
        self._portal.run(self._npc.set_priority(priority))

    def disconnect(self) -> None:
        """Leave the session; it waits in the runtime, and the next use comes back to it."""
        self._portal.run(self._npc.disconnect())

    def close(self) -> None:
        """End the session and forget it in the runtime; see `AsyncNpc.close`."""
        self._portal.run(self._npc.close())

    def __enter__(self) -> Npc:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Runtime:
    """A connection to a runtime, for code without asyncio; see `AsyncRuntime`."""

    def __init__(self, runtime: AsyncRuntime, portal: _Portal) -> None:
        """Prefer `connect` or `launch`."""
        self._runtime = runtime
        self._portal = portal

    @classmethod
    def connect(
        cls, address: str, token: str = "", *, root_certificate: bytes | None = None
    ) -> Runtime:
        """Use a runtime that is already running; see `AsyncRuntime.connect`."""
        portal = _Portal()
        make = _call_in_loop(
            AsyncRuntime.connect, address, token, root_certificate=root_certificate
        )
        return cls(portal.run(make), portal)

    @classmethod
    def launch(cls, *arguments: str, command: Sequence[str] = ()) -> Runtime:
        """Start a runtime as a child process that ends with this one; see `AsyncRuntime.launch`."""
        portal = _Portal()
        make = _call_in_loop(AsyncRuntime.launch, *arguments, command=command)
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

    def npc(
        self,
        persona: Persona,
        *,
        lore: Iterable[str] = (),
        sampling: SamplingParams | None = None,
        priority: int = 0,
        session_id: str = "",
        history: Iterable[TranscriptEntry] = (),
        hesitation_entropy: float | None = None,
        actions: Iterable[ActionSpec | Function] = (),
    ) -> Npc:
        """Return a character to talk to; see `AsyncRuntime.npc`."""
        make = _call_in_loop(
            self._runtime.npc,
            persona,
            lore=lore,
            sampling=sampling,
            priority=priority,
            session_id=session_id,
            history=history,
            hesitation_entropy=hesitation_entropy,
            actions=actions,
        )
        return Npc(self._portal, self._portal.run(make))

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
    ) -> Iterator[pb.GenerateResponse]:
        """Complete a prompt with no character involved; yield the pieces."""
        pieces = self._runtime.generate(
            prompt,
            sampling,
            echo=echo,
            priority=priority,
            timeout_s=timeout_s,
            grammar=grammar,
        )
        return self._portal.iterate(pieces)

    def choose(
        self,
        prompt: str | Sequence[int],
        options: Iterable[str],
        *,
        per_token: bool = False,
        draw: bool = False,
        temperature: float | None = None,
        seed: int | None = None,
        priority: int = 0,
    ) -> Choice:
        """Choose among texts behind a prompt; see `AsyncRuntime.choose`."""
        choice = self._runtime.choose(
            prompt,
            options,
            per_token=per_token,
            draw=draw,
            temperature=temperature,
            seed=seed,
            priority=priority,
        )
        return self._portal.run(choice)

    def info(self) -> pb.GetRuntimeInfoResponse:
        """Return what runs there: model, device, limits."""
        return self._portal.run(self._runtime.info())

    def watch_stats(self, interval_s: float = 1.0) -> Iterator[pb.WatchStatsResponse]:
        """Yield the engine's counters, again and again."""
        return self._portal.iterate(self._runtime.watch_stats(interval_s))

    def sessions(self) -> list[pb.SessionSummary]:
        """Return the runtime's open sessions."""
        return self._portal.run(self._runtime.sessions())

    def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session's configuration and transcript: what a saved game keeps."""
        return self._portal.run(self._runtime.session(session_id))

    def close_session(self, session_id: str) -> None:
        """End a session, whoever opened it."""
        self._portal.run(self._runtime.close_session(session_id))
