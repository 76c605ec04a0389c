"""What a debugger sees of a session: against a real engine."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from service_runtime import Stream, exactly, serving, status
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2
from townsfolk.v1 import townsfolk_pb2 as pb


async def inspect(runtime, session: str, *, prompt: bool = True) -> pb.InspectSessionResponse:
    request = pb.InspectSessionRequest(session_id=session, with_prompt=prompt)
    return await runtime.stub.InspectSession(request)


async def say(runtime, session: str, text: str, tokens: int = 6, **utterance):
    said = dialogue_pb2.Utterance(text=text, sampling=exactly(tokens), **utterance)
    return [
        event.event
        async for event in runtime.stub.Say(pb.SayRequest(session_id=session, utterance=said))
    ]


async def test_the_prompt_is_what_the_model_saw_and_its_beginning_was_cached(starter):
    session = await starter.open()
    assert not (await inspect(starter, session)).HasField("prompt")
    await say(starter, session, "Hello!")
    await say(starter, session, "And who are you?", turn_id="second")
    seen = await inspect(starter, session)
    prompt = seen.prompt
    assert prompt.turn_id == "second"
    usage = seen.turns[-1].usage
    assert len(prompt.token_ids) == usage.prompt_tokens
    assert prompt.cached_tokens == usage.cached_tokens > 0
    tokenizer = starter.backend.tokenizer
    whole = b"".join(tokenizer.token_bytes(token) for token in prompt.token_ids).decode()
    assert prompt.cached_text + prompt.computed_text == whole
    assert prompt.cached_text
    assert "Player: Hello!" in whole
    assert whole.index("And who are you?") > len(prompt.cached_text) - len("Player: ")
    # The oracle: a bare completion of the very same tokens finds all of it in the cache.
    ids = pb.TokenIds(ids=prompt.token_ids)
    request = pb.GenerateRequest(token_ids=ids, sampling=exactly(1))
    pieces = [piece async for piece in starter.stub.Generate(request)]
    assert pieces[-1].finished.usage.cached_tokens >= prompt.cached_tokens


async def test_the_prompt_comes_only_where_it_is_asked_for(runtime):
    session = await runtime.open()
    await say(runtime, session, "Hello!")
    assert not (await inspect(runtime, session, prompt=False)).HasField("prompt")


async def test_a_turn_tells_where_its_time_went(runtime):
    before = time.time()
    session = await runtime.open()
    await say(runtime, session, "Hello!", tokens=20)
    [turn] = (await inspect(runtime, session)).turns
    assert turn.state == pb.TURN_STATE_FINISHED
    assert turn.usage.generated_tokens == 20
    assert before - 1 <= turn.asked_unix_ms / 1000 <= time.time()
    parts = turn.queued_ms + turn.prompt_ms + turn.usage.time_to_first_token_ms
    assert 0 < parts <= turn.total_ms
    assert turn.usage.tokens_per_second > 0


async def test_what_waits_and_what_was_cut_off(runtime):
    session = await runtime.open()
    stream = Stream(runtime)
    await stream.open(resume=True, session_id=session)
    long = exactly(2000)
    for turn in ("one", "two"):
        await stream.send(say=dialogue_pb2.Utterance(text="Hm?", turn_id=turn, sampling=long))
    await stream.next("text_delta")
    seen = await inspect(runtime, session)
    assert [(turn.turn_id, turn.state) for turn in seen.turns] == [("one", pb.TURN_STATE_ANSWERING)]
    assert seen.queued_turns == 1
    assert not seen.prompt.HasField("cached_tokens")
    await stream.send(interrupt=pb.Interrupt(turn_id="one"))
    await stream.next("turn_interrupted")
    await stream.next("text_delta")
    first, second = (await inspect(runtime, session)).turns
    assert first.state == pb.TURN_STATE_INTERRUPTED
    assert second.queued_ms >= first.total_ms - first.queued_ms - first.prompt_ms - 50
    await stream.send(close=True)


async def test_only_the_last_turns_and_errors_are_kept(runtime):
    session = await runtime.open()
    for number in range(20):
        await say(runtime, session, "Hello!", tokens=1, turn_id=f"t{number}")
    seen = await inspect(runtime, session)
    assert [turn.turn_id for turn in seen.turns] == [f"t{number}" for number in range(4, 20)]
    for number in range(70):
        with pytest.raises(grpc.aio.AioRpcError):
            await inspect(runtime, f"nobody {number}")
    errors = (await runtime.stub.ListErrors(pb.ListErrorsRequest())).errors
    assert len(errors) == 64
    assert (errors[-1].code, errors[-1].method) == ("NOT_FOUND", "InspectSession")
    assert "nobody 69" in errors[-1].message


async def test_turns_that_fail_are_told_of(runtime):
    session = await runtime.open()
    call = runtime.stub.Say(
        pb.SayRequest(
            session_id=session,
            utterance=dialogue_pb2.Utterance(
                text="Hello!", turn_id="late", deadline_ms=1, sampling=exactly(2000)
            ),
        )
    )
    await status(call)
    seen = await inspect(runtime, session)
    if not seen.errors:  # so fast that something was said until then
        assert seen.turns[-1].state == pb.TURN_STATE_FINISHED
        return
    assert (seen.errors[0].code, seen.errors[0].turn_id) == ("DEADLINE_EXCEEDED", "late")
    assert seen.turns[-1].state == pb.TURN_STATE_FAILED


async def test_requests_on_streams_that_fail_are_told_of(runtime):
    stream = Stream(runtime)
    opened = await stream.open()
    await stream.send(notify=" ")
    await stream.next("error")
    [error] = (await runtime.stub.ListErrors(pb.ListErrorsRequest())).errors
    assert (error.method, error.session_id) == ("Converse", opened.session_id)
    assert error.code == "INVALID_ARGUMENT"


async def test_nobody_looks_without_the_token(model):
    settings = ServiceSettings(port=0, auth_token="secret")
    async with serving(model, settings) as runtime:
        for call in (
            runtime.stub.ListErrors(pb.ListErrorsRequest()),
            runtime.stub.InspectSession(pb.InspectSessionRequest(session_id="x")),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
                await call


async def test_looking_on_disturbs_nobody(runtime):
    """While a character speaks it is looked at as often as can be; it says the same."""
    session = await runtime.open()
    alone = await say(runtime, session, "Hello!", tokens=60)
    other = await runtime.open()
    saying = asyncio.create_task(say(runtime, other, "Hello!", tokens=60))
    looks = 0
    while not saying.done():
        await inspect(runtime, other)
        looks += 1
    assert looks > 1
    assert (await saying)[-1].turn_finished.usage.generated_tokens == 60
    assert alone[-1].turn_finished.usage.generated_tokens == 60
