"""What callers do wrong, and what goes wrong under them: each is a typed error, in time."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from runtime_process import LaunchedRuntime, launch_runtime
from townsfolk import contract
from townsfolk.client import (
    AsyncNpc,
    AsyncRuntime,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Persona,
    Runtime,
    RuntimeUnavailableError,
    SamplingParams,
    TranscriptEntry,
)
from townsfolk.v1 import townsfolk_pb2, townsfolk_pb2_grpc
from townsfolk.v1.dialogue_pb2 import EntryKind

MIRA = Persona(name="Mira Holloway", description="The innkeeper of the Salted Herring.")
SHORT = SamplingParams(max_new_tokens=12, seed=3)
LONG = SamplingParams(
    temperature=5, top_k=0, top_p=1, max_new_tokens=512, min_new_tokens=512, seed=3
)
HALF = "\ud83c"  # of a surrogate pair


def connect(runtime: LaunchedRuntime) -> AsyncRuntime:
    return AsyncRuntime.connect(f"{runtime.address}:{runtime.port}", runtime.token)


def connect_sync(runtime: LaunchedRuntime) -> Runtime:
    return Runtime.connect(f"{runtime.address}:{runtime.port}", runtime.token)


@pytest.fixture(autouse=True)
async def nothing_unretrieved() -> AsyncIterator[None]:
    """No task and no future ends with an error that nobody looked at."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()
    assert complaints == []


class TestClosed:
    async def test_every_call_on_a_closed_runtime_says_so(self, runtime: LaunchedRuntime) -> None:
        client = connect(runtime)
        async with client:
            npc = await client.npc(MIRA).open()
        calls: list[Callable[[], Any]] = [
            npc.open,
            npc.say("Hello?").wait,
            lambda: npc.notify("It rains."),
            npc.interrupt,
            lambda: npc.set_priority(1),
            client.npc(MIRA).open,
            client.info,
            client.sessions,
            lambda: client.register_lore("a", "b"),
            lambda: anext(client.generate("Once")),
            lambda: anext(client.watch_stats()),
            client.reconnect,
        ]
        for call in calls:
            with pytest.raises(RuntimeUnavailableError, match="not connected"):
                await call()
        await npc.close()
        await client.close()

    async def test_a_closed_runtime_can_be_entered_again(self, runtime: LaunchedRuntime) -> None:
        client = connect(runtime)
        async with client:
            npc = client.npc(MIRA, sampling=SHORT)
            await npc.say("Hello!").wait()
        async with client:
            await npc.say("I am back.").wait()
            assert len((await client.session(npc.session_id)).config.history) == 4

    def test_a_closed_runtime_without_asyncio(self, runtime: LaunchedRuntime) -> None:
        with connect_sync(runtime) as client:
            npc = client.npc(MIRA).open()
            turn = npc.say("Tell me a story.", sampling=LONG)
            next(iter(turn))
        with pytest.raises(RuntimeUnavailableError):
            turn.wait()
        with pytest.raises(RuntimeUnavailableError, match="not connected"):
            npc.say("Hello?")
        with pytest.raises(RuntimeUnavailableError, match="not connected"):
            client.info()

    async def test_who_waits_while_the_connection_is_closed_is_told(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client:
            stats = client.watch_stats(60.0)
            await anext(stats)
            turn = client.npc(MIRA, sampling=LONG).say("Tell me a story.")
            await anext(turn)
            waiting: list[asyncio.Task[Any]] = [
                asyncio.create_task(turn.wait()),
                asyncio.create_task(anext(stats)),
            ]
            await asyncio.sleep(0)
        assert (await waiting[0]).interrupted  # its session was closed before
        with pytest.raises(RuntimeUnavailableError):
            await waiting[1]


class TestSessionsEnd:
    @pytest.mark.parametrize("leave", [AsyncNpc.disconnect, AsyncNpc.close])
    async def test_close_ends_a_session_that_was_left(
        self, runtime: LaunchedRuntime, leave: Callable[[AsyncNpc], Any]
    ) -> None:
        async with connect(runtime) as client:
            npc = await client.npc(MIRA).open()
            await leave(npc)
            await npc.close()
            assert await client.sessions() == []

    async def test_what_was_said_and_waits_is_not_said_after_the_close(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client:
            npc = client.npc(MIRA, sampling=SHORT)
            turn = npc.say("Hello!")
            await npc.close()
            with pytest.raises(FailedPreconditionError, match="closed"):
                await turn.wait()
            assert await client.sessions() == []
            await npc.say("Hello!").wait()  # opens it anew
            assert len(await client.sessions()) == 1

    async def test_the_end_of_the_connection_ends_its_sessions(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as watcher:
            async with connect(runtime) as client:
                await client.npc(MIRA).open()
                speaking = client.npc(MIRA, sampling=LONG)
                await anext(speaking.say("Tell me a story."))
                left = await client.npc(MIRA).open()
                await left.disconnect()  # on purpose: this one is to wait
                assert len(await watcher.sessions()) == 3
            assert [s.session_id for s in await watcher.sessions()] == [left.session_id]
            await watcher.close_session(left.session_id)

    async def test_a_session_whose_opening_was_broken_off_is_closed(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client:
            npc = client.npc(MIRA)
            opening = asyncio.create_task(npc.open())
            async for _ in client.watch_stats(0.05):
                if await client.sessions():
                    break
                opening.cancel()
                break
            await asyncio.wait([opening])
            await npc.close()
            assert await client.sessions() == []

    def test_a_program_that_ends_in_mid_answer_leaves_nothing_and_is_silent(
        self, runtime: LaunchedRuntime
    ) -> None:
        script = textwrap.dedent(
            f"""
            from townsfolk.client import Persona, Runtime, SamplingParams
            with Runtime.connect("{runtime.address}:{runtime.port}", "{runtime.token}") as client:
                long = SamplingParams(temperature=5, max_new_tokens=512, min_new_tokens=512)
                turns = [client.npc(Persona(name="Mira")).say("Hello!", sampling=long)
                         for _ in range(3)]
                next(iter(turns[0]))
            """
        )
        program = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (program.returncode, program.stderr) == (0, "")
        with connect_sync(runtime) as client:
            assert client.sessions() == []


class TestBadValues:
    @pytest.mark.parametrize("deadline_s", [math.inf, math.nan, -1.0, 1e12])
    async def test_a_deadline_that_is_no_time(
        self, runtime: LaunchedRuntime, deadline_s: float
    ) -> None:
        async with connect(runtime) as client:
            with pytest.raises(InvalidArgumentError, match="deadline_s"):
                client.npc(MIRA).say("Hello!", deadline_s=deadline_s)

    async def test_texts_that_are_none_and_numbers_that_do_not_fit(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client:
            npc = client.npc(MIRA)
            calls: list[tuple[str, Callable[[], Any]]] = [
                ("text", lambda: npc.say(HALF).wait()),
                ("speaker", lambda: npc.say("Hello!", HALF).wait()),
                ("notify", lambda: npc.notify(HALF)),
                ("turn_id", lambda: npc.interrupt(HALF)),
                ("heard_characters", lambda: npc.interrupt("", 2**40)),
                ("update_priority", lambda: npc.set_priority(2**40)),
                ("session_id", lambda: client.npc(MIRA, session_id=HALF).open()),
                ("priority", lambda: client.npc(MIRA, priority=2**40).open()),
                ("lore_ids", lambda: client.npc(MIRA, lore=[HALF]).open()),
                ("lore_id", lambda: client.register_lore(HALF, "text")),
                ("text", lambda: client.register_lore("id", HALF)),
                ("text", lambda: anext(client.generate(HALF))),
                ("ids", lambda: anext(client.generate([2**40]))),
                ("timeout_s", lambda: anext(client.generate("Once", timeout_s=math.nan))),
                ("interval_s", lambda: anext(client.watch_stats(math.nan))),
                ("session_id", lambda: client.session(HALF)),
                ("session_id", lambda: client.close_session(HALF)),
            ]
            for field, call in calls:
                with pytest.raises(InvalidArgumentError, match=f"^{field}:"):
                    await call()
            assert await client.sessions() == []

    async def test_a_token_that_no_header_can_hold(self) -> None:
        with pytest.raises(InvalidArgumentError, match="token"):
            AsyncRuntime.connect("127.0.0.1:1", "tök en")

    async def test_what_the_runtime_refuses_is_raised_where_it_was_asked(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client, client.npc(MIRA, sampling=SHORT) as npc:
            refused = await asyncio.gather(
                npc.notify(""),
                npc.interrupt("nope"),
                npc.set_priority(5),
                npc.interrupt(heard_characters=-1),
                npc.notify("It rains."),
                npc.set_priority(999),
                npc.notify("x" * 5000),
                npc.interrupt(),
                return_exceptions=True,
            )
            kinds = [InvalidArgumentError, NotFoundError, None, InvalidArgumentError]
            kinds += [None, InvalidArgumentError, InvalidArgumentError, tuple]
            assert [None if answer is None else type(answer) for answer in refused] == kinds
            config = (await client.session(npc.session_id)).config
            assert config.priority == 5
            assert [entry.text for entry in config.history] == ["It rains."]

    async def test_a_refused_priority_does_not_stand_in_the_way_of_a_lost_session(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client:
            npc = await client.npc(MIRA, sampling=SHORT).open()
            await npc.set_priority(7)
            with pytest.raises(InvalidArgumentError):
                await npc.set_priority(999)
            await npc.disconnect()
            await client.close_session(npc.session_id)  # as if the runtime were another
            await npc.say("Are you there?").wait()
            assert (await client.session(npc.session_id)).config.priority == 7


class TestTranscript:
    async def test_an_interrupt_without_a_turn_cuts_the_newest_answer(
        self, runtime: LaunchedRuntime
    ) -> None:
        async with connect(runtime) as client, client.npc(MIRA, sampling=SHORT) as npc:
            await npc.say("Hello!").wait()
            last = await npc.say("Where do you live?").wait()
            assert await npc.interrupt(heard_characters=5) == (last.turn_id,)
            assert last.interrupted
            assert len(last.text) == 5
            theirs = (await client.session(npc.session_id)).config.history
            assert npc.transcript.entries == list(theirs)
            assert theirs[-1].text == last.text
            assert await npc.interrupt(heard_characters=5) == ()

    def test_the_same_without_asyncio(self, runtime: LaunchedRuntime) -> None:
        with connect_sync(runtime) as client, client.npc(MIRA, sampling=SHORT) as npc:
            npc.say("Hello!").wait()
            last = npc.say("Where do you live?").wait()
            assert npc.interrupt(heard_characters=5) == (last.turn_id,)
            assert npc.transcript == list(client.session(npc.session_id).config.history)
            assert npc.transcript[-1].text == last.text
            assert len(last.text) == 5

    async def test_interrupts_at_any_time_leave_the_runtimes_lines(
        self, runtime: LaunchedRuntime
    ) -> None:
        """Before, during and after answers, with turns that wait; told by pieces, not by time."""
        sampling = SamplingParams(temperature=2, max_new_tokens=24, seed=1)
        async with connect(runtime) as client, client.npc(MIRA, sampling=sampling) as npc:
            for pieces in range(12):
                turns = [npc.say(f"Question {pieces}?"), npc.say("And then?")]
                for _ in range(pieces):
                    await anext(turns[0], None)
                await npc.interrupt(heard_characters=pieces)
                for turn in turns:
                    await turn.wait()
                theirs = (await client.session(npc.session_id)).config.history
                assert npc.transcript.entries == list(theirs)

    async def test_lines_that_the_runtime_forgot_are_forgotten_here_too(self) -> None:
        with launch_runtime("--threads", "1", "--max-context", "256") as small:
            async with connect(small) as client, client.npc(MIRA, sampling=SHORT) as npc:
                dropped: tuple[TranscriptEntry, ...] = ()
                while not dropped:
                    await npc.notify("The rain goes on and on, and the river rises.")
                    dropped = (await npc.say("Tell me about the river.").wait()).dropped
                theirs = (await client.session(npc.session_id)).config.history
                assert npc.transcript.entries == list(theirs)

    @pytest.mark.parametrize(("count", "length"), [(12_000, 5), (40, 100_000)])
    async def test_a_long_history_is_opened_with_its_newest_lines(
        self, runtime: LaunchedRuntime, count: int, length: int
    ) -> None:
        event = EntryKind.ENTRY_KIND_EVENT
        history = [TranscriptEntry(kind=event, text=f"{n:{length}}") for n in range(count)]
        async with connect(runtime) as client, client.npc(MIRA, history=history) as npc:
            theirs = list((await client.session(npc.session_id)).config.history)
            assert theirs == history[-len(theirs) :]
            assert npc.transcript.entries == theirs
            assert len(theirs) >= 9


class Silent(townsfolk_pb2_grpc.TownsfolkServiceServicer):
    """Accepts every stream and answers none."""

    async def GetRuntimeInfo(self, request: object, context: object) -> object:  # noqa: N802
        return townsfolk_pb2.GetRuntimeInfoResponse(contract=contract.OWN.message())

    async def Converse(self, requests: object, context: object) -> None:  # noqa: N802
        await asyncio.Event().wait()


@asynccontextmanager
async def silent_runtime() -> AsyncIterator[str]:
    server = grpc.aio.server()
    townsfolk_pb2_grpc.add_TownsfolkServiceServicer_to_server(Silent(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


class TestDeadlines:
    """The turn's error tells: a runtime that is given up for its silence raises another, later."""

    async def test_a_runtime_that_accepts_and_never_answers(self) -> None:
        async with silent_runtime() as address, AsyncRuntime.connect(address) as client:
            turns = [client.npc(MIRA).say("Hello!", deadline_s=0.5) for _ in range(3)]
            for turn in turns:
                with pytest.raises(DeadlineExceededError):
                    await turn.wait()

    async def test_turns_that_wait_for_the_stream_keep_their_deadlines(self) -> None:
        async with silent_runtime() as address, AsyncRuntime.connect(address) as client:
            npc = client.npc(MIRA)
            forever = npc.say("Hello!")
            turn = npc.say("Are you there?", deadline_s=0.5)
            with pytest.raises(DeadlineExceededError):
                await turn.wait()
            assert not forever.is_over

    async def test_a_runtime_that_is_stopped(self) -> None:
        with launch_runtime("--threads", "1") as launched:
            pid = launched.process.pid
            assert pid is not None
            async with connect(launched) as client, client.npc(MIRA, sampling=LONG) as npc:
                speaking = npc.say("Tell me a story.", deadline_s=3600)
                piece = await anext(speaking)
                os.kill(pid, signal.SIGSTOP)
                try:
                    with pytest.raises(DeadlineExceededError):
                        await npc.say("Are you there?", deadline_s=0.5).wait()
                finally:
                    os.kill(pid, signal.SIGCONT)
                await speaking.interrupt()
                await speaking.wait()
                assert speaking.text.startswith(piece.strip())
                # The turn that was given up may have been said; the lines are the runtime's.
                await npc.interrupt()
                await npc.notify("It rains.")
                async with asyncio.timeout(300):  # what was cut off ends a moment later
                    while True:
                        theirs = (await client.session(npc.session_id)).config.history
                        if npc.transcript.entries == list(theirs):
                            break
                        await asyncio.sleep(0.05)

    async def test_what_had_come_before_the_runtime_stopped_is_in_the_text(self) -> None:
        with launch_runtime("--threads", "1") as launched:
            pid = launched.process.pid
            assert pid is not None
            async with connect(launched) as client:
                for deadline_s in (2, 8, 32):  # until one is long enough for a first token
                    with suppress(DeadlineExceededError):
                        npc = client.npc(MIRA, sampling=LONG)
                        turn = npc.say("Tell me a story.", deadline_s=deadline_s)
                        pieces = [await anext(turn)]
                        break
                os.kill(pid, signal.SIGSTOP)
                try:
                    while True:
                        pieces.append(await anext(turn))
                except DeadlineExceededError:
                    pass
                finally:
                    os.kill(pid, signal.SIGCONT)
                assert turn.text == "".join(pieces).strip()

    async def test_a_port_that_takes_connections_and_is_no_runtime(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("townsfolk.client.connection.CONNECT_TIMEOUT_S", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = AsyncRuntime.connect(f"127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(RuntimeUnavailableError, match="townsfolk serve"):
                await client.__aenter__()
