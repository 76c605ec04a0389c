"""Many at once: streams, cancellations, clients that don't read, clients that vanish."""

from __future__ import annotations

import asyncio
import random
import sys

import grpc
import grpc.aio
from deadable_line import DeadableLine
from service_runtime import Runtime, Stream, exactly, serving
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub


async def test_64_characters_speak_at_once_and_each_as_if_alone(starter):
    lore = dialogue.Lore(lore_id="town", text="The town lies by the sea. " * 10)
    await starter.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))

    async def converse(number: int) -> list[str]:
        stream = Stream(starter)
        persona = dialogue.Persona(name=f"Npc{number}", description="A villager. " * (number % 7))
        await stream.open(
            session_id=f"npc-{number}",
            persona=persona,
            lore_ids=["town"],
            sampling=exactly(8 + number % 9, seed=number),
        )
        texts = []
        for turn in range(2):
            await stream.send(say=dialogue.Utterance(text=f"Question {turn}?"))
            texts.append((await stream.next("turn_finished")).turn_finished.text)
        await stream.send(close=True)
        assert not await stream.rest()
        return texts

    together = await asyncio.gather(*(converse(number) for number in range(64)))
    for number in (0, 21, 63):
        assert await converse(number) == together[number]
    stats = await starter.settled()
    assert stats.requests_total == 2 * 64 + 2 * 3
    assert stats.sessions == 0


async def test_a_storm_of_cancellations_leaves_nothing_behind(runtime):
    rng = random.Random(5)
    total = (await runtime.settled()).kv_blocks_free

    async def one(number: int) -> None:
        params = exactly(400, seed=number)
        kind = number % 3
        if kind == 0:
            call = runtime.stub.Generate(pb.GenerateRequest(text="Hello", sampling=params))
        else:
            session_id = await runtime.open(sampling=params)
            utterance = dialogue.Utterance(text="Hi")
            if kind == 1:
                call = runtime.stub.Say(pb.SayRequest(session_id=session_id, utterance=utterance))
            else:
                stream = Stream(runtime)
                await stream.open(session_id=session_id, resume=True)
                for _ in range(3):
                    await stream.send(say=utterance)
                call = stream.call
        await asyncio.sleep(rng.random() * 0.2)
        call.cancel()

    await asyncio.gather(*(one(number) for number in range(150)))
    stats = await runtime.settled()
    assert stats.kv_blocks_free + stats.kv_blocks_cached == total
    assert stats.generated_tokens_total < 150 * 400
    events = [
        piece
        async for piece in runtime.stub.Generate(pb.GenerateRequest(text="A", sampling=exactly(3)))
    ]
    assert events[-1].finished.usage.generated_tokens == 3


async def test_a_client_that_never_reads_is_not_heard_and_slows_nobody(runtime):
    """It asks and asks; the server stops to listen, so that what it sends stays with it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{runtime.server.port}") as channel:
        slow = TownsfolkServiceStub(channel).Converse()
        config = dialogue.SessionConfig(
            session_id="slow", persona=dialogue.Persona(name="Mira"), sampling=exactly(3000)
        )
        await slow.write(pb.ConverseRequest(open=pb.OpenSession(config=config)))
        await slow.write(pb.ConverseRequest(say=dialogue.Utterance(text="Hi")))
        sent = 0

        async def pester() -> None:
            nonlocal sent
            while True:
                await slow.write(pb.ConverseRequest(notify="y" * 4000))
                sent += 1

        pestering = asyncio.create_task(pester())
        async with asyncio.timeout(300):
            quiet, before = 0, -1
            while quiet < 3:  # seconds: a busy machine may be slow to go on
                quiet, before = quiet + 1 if sent == before else 0, sent
                await asyncio.sleep(1)
        heard = len(runtime.backend.sessions.get("slow").transcript)
        assert heard < 2000  # of 4 KB each

        for number in range(8):
            stream = Stream(runtime)
            await stream.open(sampling=exactly(10, seed=number))
            await stream.send(say=dialogue.Utterance(text="Hi"))
            async with asyncio.timeout(300):
                await stream.next("turn_finished")
        assert sent == before
        assert len(runtime.backend.sessions.get("slow").transcript) == heard
        pestering.cancel()
        slow.cancel()
    await runtime.settled()


async def test_an_answer_that_is_read_late_comes_whole(runtime):
    """Meanwhile it has been generated; it waits, in fewer pieces."""
    call = runtime.stub.Generate(pb.GenerateRequest(text="Hi", sampling=exactly(2000, logprobs=5)))
    first = await call.read()
    while runtime.backend.engine.stats().running:
        await asyncio.sleep(0.05)
    pieces = [first]
    while (piece := await call.read()) is not grpc.aio.EOF:
        pieces.append(piece)
    assert sum(len(piece.text.tokens) for piece in pieces) == 2000
    assert len(pieces) < 1900


VANISHING_CLIENT = """
import asyncio, os, sys
import grpc
import grpc.aio
from townsfolk.v1 import dialogue_pb2 as dialogue, sampling_pb2 as sampling, townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        call = TownsfolkServiceStub(channel).Converse()
        params = sampling.SamplingParams(max_new_tokens=3000, min_new_tokens=3000)
        config = dialogue.SessionConfig(
            session_id="inn", persona=dialogue.Persona(name="Mira"), sampling=params
        )
        await call.write(pb.ConverseRequest(open=pb.OpenSession(config=config)))
        for _ in range(3):
            await call.write(pb.ConverseRequest(say=dialogue.Utterance(text="Go on.")))
        async for response in call:
            if response.event.HasField("text_delta"):
                os._exit(1)

asyncio.run(main())
"""


async def test_when_a_client_dies_its_answer_is_cut_and_its_session_waits(runtime):
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VANISHING_CLIENT, f"127.0.0.1:{runtime.server.port}"
    )
    await client.wait()
    stats = await runtime.settled()
    assert stats.generated_tokens_total < 3000
    assert stats.sessions == 1
    stream = Stream(runtime)
    assert (await stream.open(session_id="inn", resume=True)).resumed
    session = await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))
    assert session.queued_turns == 0
    heard, cut = session.config.history
    assert (heard.text, cut.cut) == ("Go on.", True)
    await stream.send(say=dialogue.Utterance(text="Back again.", sampling=exactly(3)))
    await stream.next("turn_finished")


async def test_a_client_behind_a_dead_line_is_given_up(model):
    """Nothing arrives any more, not even the end of the connection; keepalive finds out."""
    settings = ServiceSettings(port=0, keepalive_s=1, keepalive_timeout_s=3)
    async with serving(model, settings) as runtime:
        line = await DeadableLine.start(runtime.server.port)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{line.port}") as channel:
            far = Runtime(runtime.server, runtime.backend, channel, TownsfolkServiceStub(channel))
            stream = Stream(far)
            await stream.open(session_id="inn", sampling=exactly(3900))
            for _ in range(30):
                await stream.send(say=dialogue.Utterance(text="Go on."))
            await stream.next("text_delta")
            line.die()
            await runtime.settled()
            assert runtime.backend.sessions.get("inn").queued_turns == 0
        line.close()
