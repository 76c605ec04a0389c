"""The client against a real runtime with the starter model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import pytest
from deadable_line import DeadableLine
from runtime_process import LaunchedRuntime, launch_runtime
from townsfolk.client import (
    AsyncRuntime,
    DeadlineExceededError,
    FinishReason,
    InvalidArgumentError,
    NotFoundError,
    Persona,
    Runtime,
    RuntimeUnavailableError,
    SamplingParams,
    UnauthenticatedError,
    connection,
)
from townsfolk.library import resolve
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1.dialogue_pb2 import EntryKind

MIRA = Persona(name="Mira Holloway", description="The innkeeper of the Salted Herring.")
SAMPLING = SamplingParams(max_new_tokens=24, seed=3)
# Noise that goes on: no end token for 512 tokens, and nothing that looks like the next speaker.
LONG = SamplingParams(
    temperature=5, top_k=0, top_p=1, max_new_tokens=512, min_new_tokens=512, seed=3
)


def connect(runtime: LaunchedRuntime) -> Runtime:
    return Runtime.connect(f"{runtime.address}:{runtime.port}", runtime.token)


def connect_async(runtime: LaunchedRuntime) -> AsyncRuntime:
    return AsyncRuntime.connect(f"{runtime.address}:{runtime.port}", runtime.token)


def test_pieces_join_to_the_text(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA, sampling=SAMPLING) as npc:
        turn = npc.say("Hello!")
        assert "".join(turn).strip() == turn.text != ""
        assert turn.usage.generated_tokens > 0
        assert turn.usage.seed == 3


def test_the_transcript_is_the_runtimes(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA, sampling=SAMPLING) as npc:
        npc.say("Hello!", "Tom").wait()
        npc.notify("It begins to rain.")
        npc.say("Do you hear that?").wait()
        theirs = client.session(npc.session_id).config.history
        ours = npc.transcript
        kinds = [entry.kind for entry in ours]
        assert kinds == [
            EntryKind.ENTRY_KIND_HEARD,
            EntryKind.ENTRY_KIND_SPOKE,
            EntryKind.ENTRY_KIND_EVENT,
            EntryKind.ENTRY_KIND_HEARD,
            EntryKind.ENTRY_KIND_SPOKE,
        ]
        assert [(e.kind, e.text) for e in ours] == [(e.kind, e.text) for e in theirs]


def test_a_saved_transcript_restores_the_conversation(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client:
        with client.npc(MIRA, sampling=SAMPLING) as npc:
            npc.say("Hello!").wait()
            saved = client.session(npc.session_id).config
            asked = npc.say("Where do you live?").wait().usage
        with client.npc(MIRA, sampling=SAMPLING, history=saved.history) as restored:
            again = restored.say("Where do you live?").wait().usage
            # The KV that is found says that it is the same prompt, token for token. The answer is
            # the same but for rounding, which on some processors decides between two words.
            assert again.prompt_tokens == asked.prompt_tokens
            assert again.cached_tokens == again.prompt_tokens - 1


def test_an_interrupt_keeps_exactly_what_was_heard(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA, sampling=LONG) as npc:
        turn = npc.say("Tell me a long story.")
        said, pieces = "", iter(turn)
        while len(said.lstrip()) < 3:
            said += next(pieces)
        heard = said.lstrip()[:3]
        turn.interrupt(heard_characters=len(heard))
        turn.wait()
        assert turn.interrupted
        assert turn.text == heard
        assert client.session(npc.session_id).config.history[1].text == heard


def test_turns_queue_in_order(runtime: LaunchedRuntime) -> None:
    async def talk() -> list[str]:
        order: list[str] = []
        async with connect_async(runtime) as client, client.npc(MIRA, sampling=SAMPLING) as npc:
            turns = [npc.say(f"Question {number}?") for number in range(4)]

            async def read(number: int) -> None:
                await turns[number].wait()
                order.append(str(number))

            await asyncio.gather(*(read(number) for number in reversed(range(4))))
        return order

    assert asyncio.run(talk()) == ["0", "1", "2", "3"]


def test_characters_speak_at_the_same_time(runtime: LaunchedRuntime) -> None:
    async def talk() -> int:
        async with connect_async(runtime) as client:
            npcs = [client.npc(MIRA, sampling=LONG) for _ in range(4)]
            turns = [npc.say("Tell me a story.") for npc in npcs]
            await asyncio.gather(*(anext(turn) for turn in turns))
            async for stats in client.watch_stats(0.05):
                running: int = stats.running
                break
            for npc in npcs:
                await npc.close()
            return running

    assert asyncio.run(talk()) == 4


def test_lore_and_generate_and_info(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client:
        assert client.register_lore("river", "The river is called the Ash.") > 3
        pieces = list(client.generate("Once", SamplingParams(max_new_tokens=8, logprobs=2)))
        assert pieces[-1].finished.usage.generated_tokens <= 8
        assert all(token.token.logprob <= 0 for p in pieces for token in p.text.tokens)
        assert client.info().model == "starter"


def test_a_bad_value_names_its_field(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client:
        with pytest.raises(InvalidArgumentError, match="top_p"):
            client.npc(MIRA, sampling=SamplingParams(top_p=2)).open()
        with pytest.raises(NotFoundError, match="nowhere"):
            client.npc(MIRA, lore=["nowhere"]).open()
        client.register_lore("river", "The river is called the Ash.")
        client.remove_lore("river")
        with pytest.raises(NotFoundError, match="river"):
            client.remove_lore("river")


def test_what_is_no_option_is_named(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA) as npc:
        with pytest.raises(TypeError, match="a character has no option loer"):
            client.npc(MIRA, loer=["town"])
        with pytest.raises(TypeError, match="a turn has no option deadline"):
            npc.say("Hello", deadline=1)
        with pytest.raises(TypeError, match="a choice has no option sed"):
            npc.choose(["Yes.", "No."], "Is it?", sed=1)


def test_a_failed_turn_leaves_the_session_alive(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA, sampling=SAMPLING) as npc:
        with pytest.raises(InvalidArgumentError, match="text"):
            npc.say("").wait()
        assert npc.say("Hello!").wait().text


def test_a_deadline_keeps_what_was_said(runtime: LaunchedRuntime) -> None:
    with connect(runtime) as client, client.npc(MIRA, sampling=LONG) as npc:
        for deadline_s in (0.3, 1, 3, 10):  # until one is long enough for a first token
            with suppress(DeadlineExceededError):
                turn = npc.say("Tell me everything.", deadline_s=deadline_s).wait()
                break
        assert turn.finish_reason == FinishReason.FINISH_REASON_DEADLINE
        assert turn.text


def test_a_wrong_token_is_refused(runtime: LaunchedRuntime) -> None:
    with (
        Runtime.connect(f"{runtime.address}:{runtime.port}", "wrong") as client,
        pytest.raises(UnauthenticatedError),
    ):
        client.info()


def test_no_runtime_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("townsfolk.client.connection.CONNECT_TIMEOUT_S", 0.5)
    with (
        pytest.raises(RuntimeUnavailableError, match="townsfolk serve"),
        Runtime.connect("127.0.0.1:1"),
    ):
        pass


def test_a_runtime_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeUnavailableError, match="no-such-model"),
        Runtime.launch("--model", "./no-such-model"),
    ):
        pass


def test_a_killed_runtime_comes_back_with_the_conversation() -> None:
    with Runtime.launch("--threads", "1") as client:
        client.register_lore("river", "The river is called the Ash.")
        npc = client.npc(MIRA, lore=["river"], sampling=SAMPLING).open()
        said = npc.say("Hello!").wait().text
        turn = npc.say("Tell me a long story.", sampling=LONG)
        next(iter(turn))
        assert client.process is not None
        assert client.process.pid is not None
        os.kill(client.process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeUnavailableError):
            turn.wait()
        npc.say("Are you still there?").wait()
        history = client.session(npc.session_id).config.history
        assert history[1].text == said
        assert history[3].cut
        assert len(history) == 6


def test_a_killed_client_takes_its_runtime_along() -> None:
    script = textwrap.dedent(
        """
        import time
        from townsfolk.client import Runtime
        with Runtime.launch("--threads", "1") as runtime:
            print(runtime.process.pid, flush=True)
            time.sleep(60)
        """
    )
    game = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert game.stdout is not None
    with game.stdout:
        pid = int(game.stdout.readline())
    game.kill()
    game.wait()
    with suppress(ProcessLookupError):  # when it is gone; the test's time limit ends it otherwise
        while True:
            os.kill(pid, 0)
            time.sleep(0.05)


def test_a_client_can_come_back_to_its_session() -> None:
    async def talk() -> None:
        with launch_runtime("--threads", "1") as launched:
            async with connect_async(launched) as client:
                npc = client.npc(MIRA, sampling=SAMPLING)
                await npc.say("Hello!").wait()
                await npc.disconnect()
                await npc.say("I am back.").wait()
                session = await client.session(npc.session_id)
                assert len(session.config.history) == 4
                assert len(await client.sessions()) == 1

    asyncio.run(talk())


async def test_a_runtime_behind_a_dead_line_is_given_up(
    runtime: LaunchedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing arrives any more, not even the end of the connection; keepalive finds out."""
    monkeypatch.setattr(connection, "KEEPALIVE_S", 1.0)
    monkeypatch.setattr(connection, "KEEPALIVE_TIMEOUT_S", 3.0)
    line = await DeadableLine.start(runtime.port)
    far = AsyncRuntime.connect(f"127.0.0.1:{line.port}", runtime.token)
    async with far, asyncio.timeout(300):
        npc = await far.npc(MIRA, sampling=LONG).open()
        turn = npc.say("Tell me a long story.")
        await anext(turn)
        line.die()
        with pytest.raises(RuntimeUnavailableError):
            await turn.wait()
    line.close()


LOOPING = Persona(name="Pettigrew", description="An old lighthouse keeper.")


def driven() -> SamplingParams:
    """What drives the character into a loop: nothing else is drawn."""
    tokenizer = Tokenizer.from_directory(resolve("starter"))
    rew = tokenizer.encode("rew", continues=True)[-1]
    return SamplingParams(seed=3, max_new_tokens=128, logit_bias={rew: 60.0})


def test_a_reply_that_goes_round_in_circles_says_so(runtime: LaunchedRuntime) -> None:
    settings, free = driven(), SamplingParams(stop_repetition=False)
    with connect(runtime) as client, client.npc(LOOPING, sampling=settings) as npc:
        turn = npc.say("What is your name?").wait()
        assert turn.finish_reason == FinishReason.FINISH_REASON_REPETITION
        assert turn.usage.generated_tokens < 64
        theirs = client.session(npc.session_id).config.history[-1].text
        assert npc.transcript[-1].text == turn.text == theirs
    with connect(runtime) as client, client.npc(LOOPING, sampling=settings) as npc:
        turn = npc.say("What is your name?", sampling=free).wait()
        assert turn.finish_reason == FinishReason.FINISH_REASON_LENGTH


async def test_a_reply_that_goes_round_in_circles_says_so_to_asyncio(
    runtime: LaunchedRuntime,
) -> None:
    settings = driven()
    async with connect_async(runtime) as client, client.npc(LOOPING, sampling=settings) as npc:
        turn = await npc.say("What is your name?").wait()
        assert turn.finish_reason == FinishReason.FINISH_REASON_REPETITION
