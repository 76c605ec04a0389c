"""Turns that an event or nothing begins, and lines of a script, over both ports."""

from __future__ import annotations

from service_runtime import Stream, exactly
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb

EVENT, NONE = dialogue.TURN_CUE_EVENT, dialogue.TURN_CUE_NONE
SPOKE, HEARD = dialogue.ENTRY_KIND_SPOKE, dialogue.ENTRY_KIND_HEARD
SCRIPT = pb.RecordedLines(
    lines=[
        dialogue.TranscriptEntry(kind=HEARD, text="A bed?"),
        dialogue.TranscriptEntry(kind=SPOKE, text="Two pennies."),
    ]
)


async def test_a_conversation_that_the_character_begins(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", sampling=exactly(4))
    for cue, text in ((NONE, ""), (EVENT, "A bell rings.")):
        await stream.send(say=dialogue.Utterance(cue=cue, text=text))
    first, second = [(await stream.next("turn_finished")).turn_finished for _ in range(2)]
    await stream.send(record=SCRIPT)
    recorded = (await stream.next("recorded")).recorded
    await stream.send(say=dialogue.Utterance(cue=NONE))
    third = (await stream.next("turn_finished")).turn_finished
    lines = (await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))).config.history
    assert [(line.speaker, line.text) for line in lines] == [
        ("Mira", first.text),
        ("", "A bell rings."),
        ("Mira", second.text),
        ("Player", "A bed?"),
        ("Mira", "Two pennies."),
        ("Mira", third.text),
    ]
    assert [line.turn_id for line in lines] == ["turn-1", "turn-2", "turn-2", "", "", "turn-3"]
    assert list(recorded.lines) == list(lines[3:5])
    again = await runtime.open(session_id="again", history=lines, sampling=exactly(4))
    request = pb.GetSessionRequest(session_id=again)
    assert (await runtime.stub.GetSession(request)).config.history == lines


async def test_the_same_without_a_stream_both_ways(runtime):
    session_id = await runtime.open(sampling=exactly(4))
    request = pb.SayRequest(session_id=session_id, utterance=dialogue.Utterance(cue=NONE))
    events = [response.event async for response in runtime.stub.Say(request)]
    assert events[-1].HasField("turn_finished")
    request = pb.RecordLinesRequest(session_id=session_id, recorded=SCRIPT)
    recorded = (await runtime.stub.RecordLines(request)).recorded
    request = pb.GetSessionRequest(session_id=session_id)
    history = (await runtime.stub.GetSession(request)).config.history
    assert list(history[1:]) == list(recorded.lines)


async def test_lines_during_an_answer_come_after_it(runtime):
    stream = Stream(runtime)
    await stream.open(session_id="inn", sampling=exactly(200))
    await stream.send(say=dialogue.Utterance(cue=NONE, turn_id="greeting"))
    await stream.next("text_delta")
    await stream.send(record=SCRIPT)
    await stream.next("recorded")
    await stream.send(interrupt=pb.Interrupt(turn_id="greeting", heard_characters=3))
    cut = (await stream.next("turn_interrupted")).turn_interrupted
    lines = (await runtime.stub.GetSession(pb.GetSessionRequest(session_id="inn"))).config.history
    assert [line.text for line in lines] == [cut.text, "A bed?", "Two pennies."]
