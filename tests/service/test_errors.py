# ruff: noqa: E501 (a table of cases)
"""What is wrong with a request is said by its status and a message with the field and its range."""

from __future__ import annotations

import re

import pytest
from grpc import StatusCode
from service_runtime import Stream, exactly
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.sampling_pb2 import SamplingParams


def open_with(**config) -> pb.OpenSessionRequest:
    config.setdefault("persona", dialogue.Persona(name="Mira"))
    session = dialogue.SessionConfig(**config)
    return pb.OpenSessionRequest(open=pb.OpenSession(config=session))


def entry(**fields) -> dict:
    fields.setdefault("kind", dialogue.ENTRY_KIND_HEARD)
    return {"history": [dialogue.TranscriptEntry(**fields)]}


def say(session_id="inn", **utterance) -> pb.SayRequest:
    return pb.SayRequest(session_id=session_id, utterance=dialogue.Utterance(**utterance))


def generate(text="Hello", **fields) -> pb.GenerateRequest:
    priority = fields.pop("priority", 0)
    return pb.GenerateRequest(text=text, sampling=SamplingParams(**fields), priority=priority)


def lore(**fields) -> pb.RegisterLoreRequest:
    return pb.RegisterLoreRequest(lore=dialogue.Lore(**fields))


INVALID = StatusCode.INVALID_ARGUMENT
NAN = float("nan")

# (method, request, status, what the message must say)
EVENT, NONE = dialogue.TURN_CUE_EVENT, dialogue.TURN_CUE_NONE
LINE = dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_SPOKE, text="Welcome!")
LINES = pb.RecordedLines(lines=[LINE])


def recorded(**line) -> pb.RecordLinesRequest:
    lines = pb.RecordedLines(lines=[dialogue.TranscriptEntry(**line)])
    return pb.RecordLinesRequest(session_id="inn", recorded=lines)


CASES = [
    ("OpenSession", pb.OpenSessionRequest(), INVALID, r"persona\.name.*1 to 64"),
    ("OpenSession", open_with(persona=dialogue.Persona(name="x" * 65)), INVALID, r"persona\.name.*1 to 64"),
    ("OpenSession", open_with(persona=dialogue.Persona(name="a\nb")), INVALID, r"persona\.name.*line"),
    ("OpenSession", open_with(session_id="x" * 129), INVALID, r"session_id.*128"),
    ("OpenSession", open_with(session_id="inn"), StatusCode.ALREADY_EXISTS, r"session_id.*'inn'"),
    ("OpenSession", open_with(lore_ids=["none"]), StatusCode.NOT_FOUND, r"lore_ids.*'none'.*register"),
    ("OpenSession", open_with(lore_ids=["x" * 129]), INVALID, r"lore_ids.*128"),
    ("OpenSession", open_with(priority=101), INVALID, r"priority.*-100 to 100"),
    ("OpenSession", open_with(priority=-101), INVALID, r"priority.*-100 to 100"),
    ("OpenSession", open_with(overflow_policy=9), INVALID, r"overflow_policy.*DROP_OLDEST"),
    ("OpenSession", open_with(**entry(kind=0, text="Hi")), INVALID, r"history\.0\.kind.*HEARD"),
    ("OpenSession", open_with(**entry(text="")), INVALID, r"history\.0.*text"),
    ("OpenSession", open_with(**entry(text="a", speaker="x" * 65)), INVALID, r"history\.0\.speaker.*64"),
    ("OpenSession", open_with(**entry(text="a", turn_id="x" * 129)), INVALID, r"history\.0\.turn_id.*128"),
    ("OpenSession", open_with(sampling=SamplingParams(top_p=0)), INVALID, r"sampling\.top_p.*above 0 and at most 1"),
    ("OpenSession", open_with(sampling=SamplingParams(max_new_tokens=4097)), INVALID, r"sampling\.max_new_tokens.*1 to 4096"),
    ("OpenSession", open_with(persona=dialogue.Persona(name="a", description="word " * 9000)), INVALID, r"persona.*at most 2048"),
    ("Say", say("nowhere", text="Hi"), StatusCode.NOT_FOUND, r"session_id.*'nowhere'.*open"),
    ("Say", say(text=""), INVALID, r"text.*empty"),
    ("Say", say(text=" \n "), INVALID, r"text.*empty"),
    ("Say", say(text="Hi", speaker="x" * 65), INVALID, r"speaker.*64"),
    ("Say", say(text="Hi", speaker="a\nb"), INVALID, r"speaker.*line"),
    ("Say", say(text="Hi", turn_id="x" * 129), INVALID, r"turn_id.*128"),
    ("Say", say(text="Hi", turn_id="told"), StatusCode.ALREADY_EXISTS, r"turn_id.*'told'"),
    ("Say", say(text="Hi", deadline_ms=-1), INVALID, r"deadline_ms.*0"),
    ("Say", say(text="Hi", sampling=SamplingParams(temperature=5.5)), INVALID, r"sampling\.temperature.*0 to 5.*5\.5"),
    ("InterruptSession", pb.InterruptSessionRequest(session_id="x"), StatusCode.NOT_FOUND, r"session_id.*'x'"),
    ("InterruptSession", pb.InterruptSessionRequest(session_id="inn", interrupt=pb.Interrupt(turn_id="x")), StatusCode.NOT_FOUND, r"turn_id.*'x'"),
    ("InterruptSession", pb.InterruptSessionRequest(session_id="inn", interrupt=pb.Interrupt(heard_characters=-1)), INVALID, r"heard_characters.*at least 0"),
    ("NotifySession", pb.NotifySessionRequest(session_id="x", text="a"), StatusCode.NOT_FOUND, r"session_id"),
    ("NotifySession", pb.NotifySessionRequest(session_id="inn"), INVALID, r"text.*1 to 4096"),
    ("NotifySession", pb.NotifySessionRequest(session_id="inn", text="x" * 4097), INVALID, r"text.*1 to 4096"),
    ("Say", say(cue=9), INVALID, r"cue.*9.*TURN_CUE_SAID"),
    ("Say", say(cue=EVENT), INVALID, r"text.*0 characters.*1 to 4096"),
    ("Say", say(cue=EVENT, text="x" * 4097), INVALID, r"text.*4097 characters.*1 to 4096"),
    ("Say", say(cue=EVENT, text="x", speaker="Tom"), INVALID, r"speaker.*must be empty"),
    ("Say", say(cue=NONE, text="x"), INVALID, r"text.*must be empty"),
    ("Say", say(cue=NONE, speaker="Tom"), INVALID, r"speaker.*must be empty"),
    ("Choose", pb.ChooseRequest(session_id="inn", options=["a"], utterance=dialogue.Utterance(cue=NONE)), INVALID, r"utterance\.cue"),
    ("RecordLines", pb.RecordLinesRequest(session_id="x", recorded=LINES), StatusCode.NOT_FOUND, r"session_id"),
    ("RecordLines", pb.RecordLinesRequest(session_id="inn"), INVALID, r"lines.*are 0.*1 to 256"),
    ("RecordLines", recorded(text="x"), INVALID, r"lines\.0\.kind.*ENTRY_KIND_HEARD"),
    ("RecordLines", recorded(kind=dialogue.ENTRY_KIND_SPOKE, text="x", speaker="Tom"), INVALID, r"lines\.0\.speaker.*'Tom'.*'Mira'"),
    ("RecordLines", recorded(kind=dialogue.ENTRY_KIND_SPOKE, text="x", turn_id="t"), INVALID, r"number 0 has a turn_id"),
    ("UpdateSession", pb.UpdateSessionRequest(session_id="x", priority=1), StatusCode.NOT_FOUND, r"session_id"),
    ("UpdateSession", pb.UpdateSessionRequest(session_id="inn"), INVALID, r"priority.*-100 to 100"),
    ("UpdateSession", pb.UpdateSessionRequest(session_id="inn", priority=101), INVALID, r"priority.*-100 to 100"),
    ("GetSession", pb.GetSessionRequest(session_id="x"), StatusCode.NOT_FOUND, r"session_id.*'x'"),
    ("CloseSession", pb.CloseSessionRequest(session_id="x"), StatusCode.NOT_FOUND, r"session_id.*'x'"),
    ("RegisterLore", pb.RegisterLoreRequest(), INVALID, r"lore_id.*1 to 128"),
    ("RegisterLore", lore(lore_id="x" * 129, text="a"), INVALID, r"lore_id.*1 to 128"),
    ("RegisterLore", lore(lore_id="x"), INVALID, r"text.*at least 1"),
    ("Generate", pb.GenerateRequest(), INVALID, r"prompt.*text or token_ids"),
    ("Generate", pb.GenerateRequest(token_ids=pb.TokenIds()), INVALID, r"prompt.*empty"),
    ("Generate", pb.GenerateRequest(token_ids=pb.TokenIds(ids=[1, 10**6])), INVALID, r"token ids.*0 to \d+.*1000000"),
    ("Generate", pb.GenerateRequest(token_ids=pb.TokenIds(ids=[-1])), INVALID, r"token ids.*0 to \d+.*-1"),
    ("Generate", generate("word " * 5000), INVALID, r"prompt has \d+ tokens.*at most 4095"),
    ("Generate", generate(priority=101), INVALID, r"priority.*-100 to 100"),
    ("Generate", generate(temperature=-0.1), INVALID, r"temperature.*0 to 5.*-0\.1"),
    ("Generate", generate(temperature=NAN), INVALID, r"temperature.*0 to 5.*nan"),
    ("Generate", generate(top_k=1025), INVALID, r"top_k.*0 to 1024"),
    ("Generate", generate(top_p=1.01), INVALID, r"top_p.*above 0 and at most 1.*1\.01"),
    ("Generate", generate(min_p=2), INVALID, r"min_p.*0 to 1"),
    ("Generate", generate(repetition_penalty=0), INVALID, r"repetition_penalty.*above 0 and at most 10"),
    ("Generate", generate(presence_penalty=11), INVALID, r"presence_penalty.*-10 to 10"),
    ("Generate", generate(frequency_penalty=-11), INVALID, r"frequency_penalty.*-10 to 10"),
    ("Generate", generate(logit_bias={1: 101}), INVALID, r"logit_bias\[1\].*-100 to 100"),
    ("Generate", generate(logit_bias=dict.fromkeys(range(1025), 1.0)), INVALID, r"logit_bias.*1024"),
    ("Generate", generate(logit_bias={10**6: 1}), INVALID, r"logit_bias.*0 to \d+"),
    ("Generate", generate(stop=[""]), INVALID, r"stop.*1 to 256 characters"),
    ("Generate", generate(stop=["x"] * 17), INVALID, r"stop.*at most 16"),
    ("Generate", generate(stop_token_ids=range(65)), INVALID, r"stop_token_ids.*at most 64"),
    ("Generate", generate(stop_token_ids=[10**6]), INVALID, r"stop_token_ids.*0 to \d+"),
    ("Generate", generate(max_new_tokens=0), INVALID, r"max_new_tokens.*at least 1"),
    ("Generate", generate(max_new_tokens=5, min_new_tokens=6), INVALID, r"min_new_tokens.*0 to 5"),
    ("Generate", generate(logprobs=21), INVALID, r"logprobs.*0 to 20"),
    ("WatchStats", pb.WatchStatsRequest(interval_ms=49), INVALID, r"interval_ms.*50 to 60000"),
    ("WatchStats", pb.WatchStatsRequest(interval_ms=60001), INVALID, r"interval_ms.*50 to 60000"),
]  # fmt: skip


async def test_every_refusal_says_what_to_do(runtime):
    told = dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_HEARD, text="Hi", turn_id="told")
    await runtime.open(session_id="inn", history=[told])
    for method, request, status, says in CASES:
        call = getattr(runtime.stub, method)(request)
        code, message = await call.code(), await call.details()
        assert code is status, (method, request, message)
        assert re.search(says, message, re.DOTALL), (method, request, message)
    # None of them did any harm.
    events = [r.event async for r in runtime.stub.Say(say(text="Hi", sampling=exactly(3)))]
    assert events[-1].HasField("turn_finished")


STREAM_CASES = [
    ({"say": dialogue.Utterance(text="", turn_id="t")}, "INVALID_ARGUMENT", "text.*empty", "t"),
    ({"say": dialogue.Utterance(text="x", turn_id="told")}, "ALREADY_EXISTS", "turn_id.*told", ""),
    ({"notify": ""}, "INVALID_ARGUMENT", "text.*1 to 4096", ""),
    ({"interrupt": pb.Interrupt(turn_id="x")}, "NOT_FOUND", "turn_id.*x", ""),
    ({"record": pb.RecordedLines()}, "INVALID_ARGUMENT", "lines.*1 to 256", ""),
    ({"say": dialogue.Utterance(cue=NONE, text="x", turn_id="t")}, "INVALID_ARGUMENT", "text", "t"),
    ({"update_priority": 101}, "INVALID_ARGUMENT", "priority.*-100 to 100", ""),
    ({"open": pb.OpenSession()}, "FAILED_PRECONDITION", "has its session", ""),
    ({}, "INVALID_ARGUMENT", "request.*say, notify", ""),
]


async def test_a_stream_survives_every_refusal(runtime):
    stream = Stream(runtime)
    told = dialogue.TranscriptEntry(kind=dialogue.ENTRY_KIND_HEARD, text="Hi", turn_id="told")
    await stream.open(history=[told], sampling=exactly(3))
    for request, code, says, turn_id in STREAM_CASES:
        await stream.send(**request)
        error = (await stream.next()).error
        assert dialogue.ErrorCode.Name(error.code) == f"ERROR_CODE_{code}", (request, error)
        assert re.search(says, error.message), (request, error)
        assert error.turn_id == turn_id
    await stream.send(say=dialogue.Utterance(text="Still there?"))
    await stream.next("turn_finished")


@pytest.mark.parametrize(
    "first", [{"say": dialogue.Utterance(text="Hi")}, {"close": True}, {}, None]
)
async def test_a_stream_begins_with_open(runtime, first):
    call = runtime.stub.Converse()
    if first is not None:
        await call.write(pb.ConverseRequest(**first))
    await call.done_writing()
    assert await call.code() is StatusCode.FAILED_PRECONDITION
    assert "open" in await call.details()
