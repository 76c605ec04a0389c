"""Replies under grammars over the wire: turns, completions, and what is wrong with a grammar."""

from __future__ import annotations

import json

import grpc
import pytest
from service_runtime import Stream, exactly
from townsfolk.client import (
    AsyncRuntime,
    InvalidArgumentError,
    Persona,
    choices,
    json_schema,
    regex,
)
from townsfolk.v1 import dialogue_pb2, sampling_pb2
from townsfolk.v1 import townsfolk_pb2 as pb

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "angry"]}, "gold": {"type": "integer"}},
    "required": ["mood", "gold"],
}
BAD = sampling_pb2.Grammar(regex="(")


async def test_a_turn_is_what_its_schema_says(starter):
    stream = Stream(starter)
    await stream.open()
    grammar = sampling_pb2.Grammar(json_schema=json.dumps(SCHEMA))
    for speaker in ("Tom", "Ann"):
        await stream.send(say={"text": "How much?", "speaker": speaker, "grammar": grammar})
        texts, event = [], await stream.next()
        while event.WhichOneof("event") != "turn_finished":
            assert event.WhichOneof("event") in ("turn_started", "text_delta")  # no sentences
            texts.append(event.text_delta.text)
            event = await stream.next()
        assert event.turn_finished.text == "".join(texts)
        assert json.loads(event.turn_finished.text)["mood"] in ("calm", "angry")
    await stream.send(say={"text": "And now in words."})
    assert (await stream.next("turn_finished")).turn_finished.text
    await stream.send(close=True)


async def test_a_turn_of_choices_is_spoken(starter):
    session_id = await starter.open()
    utterance = dialogue_pb2.Utterance(
        text="Do you agree?",
        grammar={"choices": {"options": ["Aye, I do.", "No. Never."]}},
    )
    call = starter.stub.Say(pb.SayRequest(session_id=session_id, utterance=utterance))
    events = [response.event async for response in call]
    sentences = [e.sentence_completed.text for e in events if e.HasField("sentence_completed")]
    assert sentences in (["Aye, I do."], ["No.", "Never."])


async def test_an_invalid_grammar_ends_its_turn_alone(starter):
    stream = Stream(starter)
    await stream.open()
    await stream.send(say={"text": "Hello", "turn_id": "bad", "grammar": BAD})
    await stream.send(say={"text": "Hello", "turn_id": "good", "sampling": exactly(4)})
    error = (await stream.next("error")).error
    assert (error.code, error.turn_id) == (dialogue_pb2.ERROR_CODE_INVALID_ARGUMENT, "bad")
    assert "grammar.regex: " in error.message
    assert "unclosed group" in error.message
    assert (await stream.next("turn_finished")).turn_finished.turn_id == "good"
    await stream.send(close=True)


async def test_an_invalid_grammar_is_the_status_of_a_call(starter):
    session_id = await starter.open()
    calls = (
        starter.stub.Generate(pb.GenerateRequest(text="The inn", grammar=BAD)),
        starter.stub.Say(
            pb.SayRequest(session_id=session_id, utterance={"text": "Hello", "grammar": BAD})
        ),
        starter.stub.Generate(pb.GenerateRequest(text="The inn", grammar={"choices": {}})),
    )
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details().startswith("grammar.")


async def test_the_client_says_what_a_reply_must_be(starter):
    address = f"127.0.0.1:{starter.server.port}"
    async with AsyncRuntime.connect(address) as runtime:
        npc = runtime.npc(Persona(name="Mira"))
        turn = await npc.say("How much?", grammar=json_schema(SCHEMA)).wait()
        assert json.loads(turn.text).keys() == {"mood", "gold"}
        turn = await npc.say("Well?", grammar=choices(["aye", "nay"])).wait()
        assert turn.text in ("aye", "nay")
        pieces = [piece async for piece in runtime.generate("In ", grammar=regex("[0-9]{3}"))]
        assert "".join(piece.text.text for piece in pieces).isdigit()
        with pytest.raises(InvalidArgumentError, match="unclosed group"):
            await npc.say("Hm?", grammar=regex("(")).wait()
    with pytest.raises(InvalidArgumentError, match="JSON"):
        json_schema({"enum": {object()}})
