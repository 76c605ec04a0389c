"""Texts are encoded where they hurt nobody, and not at all where they can't be of use."""

from __future__ import annotations

import asyncio
import threading

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from service_runtime import exactly, status
from townsfolk.service.encoding import LONG_CHARACTERS, EncodingThreads
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb


@pytest.fixture
def encoded(runtime, monkeypatch) -> list[int]:
    """The lengths of the texts that are encoded."""
    lengths: list[int] = []
    encode = runtime.backend.tokenizer.encode

    def note(text: str, **more) -> list[int]:
        lengths.append(len(text))
        return encode(text, **more)

    monkeypatch.setattr(runtime.backend.tokenizer, "encode", note)
    return lengths


async def test_long_texts_that_were_abandoned_hold_up_nobody() -> None:
    threads = EncodingThreads()
    begun, go_on, done = threading.Event(), threading.Event(), []

    def encode(number: int) -> int:
        begun.set()
        go_on.wait()
        done.append(number)
        return number

    abandoned = [
        asyncio.create_task(threads.run(LONG_CHARACTERS + 1, encode, number))
        for number in range(12)
    ]
    await asyncio.to_thread(begun.wait)
    assert await threads.run(10, len, "short") == 5  # while a long one is under way
    for task in abandoned:
        task.cancel()
    await asyncio.wait(abandoned)
    next_one = asyncio.create_task(threads.run(LONG_CHARACTERS + 1, encode, 12))
    go_on.set()
    assert await next_one == 12
    assert done == [0, 12]  # of those that were abandoned none had begun but the first
    threads.close()


async def test_an_open_is_bounded_before_anything_is_encoded(runtime, encoded) -> None:
    for number in range(12):
        lore = dialogue.Lore(lore_id=str(number), text="The river is called the Ash. " * 1000)
        await runtime.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))
    encoded.clear()
    with pytest.raises(AioRpcError, match="more than 32768 characters") as refused:
        await runtime.open(lore_ids=map(str, range(12)))
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    with pytest.raises(AioRpcError, match="'1' twice") as refused:
        await runtime.open(lore_ids=["1", "2", "1"])
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    with pytest.raises(AioRpcError, match="more than 32768 characters") as refused:
        await runtime.open(persona=dialogue.Persona(name="Mira", description="x" * 100_000))
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    assert encoded == []


async def test_lore_and_prompts_are_bounded_before_they_are_encoded(runtime, encoded) -> None:
    lore = dialogue.Lore(lore_id="long", text="x" * 1_000_000)
    with pytest.raises(AioRpcError, match="text: has 1000000") as refused:
        await runtime.stub.RegisterLore(pb.RegisterLoreRequest(lore=lore))
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    prompt = pb.GenerateRequest(text="x" * 1_000_000, sampling=exactly(1))
    code, details = await status(runtime.stub.Generate(prompt))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "text: the prompt has 1000000 characters" in details
    assert encoded == []


async def test_what_is_said_is_bounded_before_it_is_encoded(runtime, encoded) -> None:
    session_id = await runtime.open()
    encoded.clear()
    said = dialogue.Utterance(text="x" * 1_000_000)
    say = runtime.stub.Say(pb.SayRequest(session_id=session_id, utterance=said))
    events = [response.event async for response in say]
    assert events[-1].error.code == dialogue.ERROR_CODE_INVALID_ARGUMENT
    assert "text: has 1000000 characters" in events[-1].error.message
    assert max(encoded, default=0) < 1000
