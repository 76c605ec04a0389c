"""Characters that act: the game is asked the moment an action is whole, and never before."""

from __future__ import annotations

import json

import grpc
import pytest
from service_runtime import Runtime, Stream
from townsfolk.v1 import dialogue_pb2 as pb
from townsfolk.v1 import sampling_pb2
from townsfolk.v1 import townsfolk_pb2 as service

GIVE = pb.ActionSpec(
    name="give_item",
    description="Gives the player something.",
    parameters=[
        pb.ActionParameter(name="item", options=["sword", "shield", "ale"]),
        pb.ActionParameter(
            name="count", type=pb.PARAMETER_TYPE_INTEGER, minimum=1, maximum=3, optional=True
        ),
    ],
)
OPEN = pb.ActionSpec(
    name="open_door", description="Opens the cellar.", condition="The player may enter."
)
SCHEMA = pb.ActionSpec(
    name="set_price",
    json_schema=json.dumps(
        {"type": "object", "properties": {"gold": {"type": "integer"}}, "required": ["gold"]}
    ),
)
SHORT = sampling_pb2.SamplingParams(seed=3, max_new_tokens=24)


def now(*names: str, **fields) -> pb.ActionsNow:
    return pb.ActionsNow(names=names, required=True, **fields)


async def requested(stream: Stream) -> pb.ActionRequested | None:
    """The next action; None when the turn ends without one."""
    event = await stream.next("action_requested", "turn_finished", "turn_interrupted", "error")
    return event.action_requested if event.HasField("action_requested") else None


async def acting(runtime: Runtime, stream: Stream, session_id: str, actions: pb.ActionsNow):
    """Speak until the character takes an action: the starter model often finds none fitting."""
    for number in range(40):
        say = {"text": f"The ale, please! {number}", "actions": actions, "turn_id": f"t{number}"}
        params = sampling_pb2.SamplingParams(seed=number, temperature=1.5, max_new_tokens=12)
        await stream.send(say={**say, "sampling": params})
        action = await requested(stream)
        if action is not None:
            return action
    raise AssertionError("it never acts")


async def answer(runtime: Runtime, session_id: str, action_id: str, **outcome: str) -> None:
    await runtime.stub.AnswerAction(
        service.AnswerActionRequest(session_id=session_id, action_id=action_id, **outcome)
    )


async def history(runtime: Runtime, session_id: str) -> list[pb.TranscriptEntry]:
    request = service.GetSessionRequest(session_id=session_id)
    return list((await runtime.stub.GetSession(request)).config.history)


@pytest.mark.parametrize("kind", ["accept", "reject"])
async def test_the_character_learns_what_came_of_it_and_goes_on(starter, kind):
    stream = Stream(starter)
    session_id = (await stream.open(actions=[GIVE, OPEN, SCHEMA], sampling=SHORT)).session_id
    action = await acting(starter, stream, session_id, now("give_item"))
    arguments = json.loads(action.arguments_json)
    assert action.name == "give_item"
    assert arguments["item"] in ("sword", "shield", "ale")
    assert 1 <= arguments.get("count", 1) <= 3
    before = await history(starter, session_id)
    await answer(starter, session_id, action.action_id, **{kind: "The shelf is empty now."})
    settled = (await stream.next("action_settled")).action_settled
    assert settled.accepted == (kind == "accept")
    assert (settled.turn_id, settled.action_id) == (action.turn_id, action.action_id)
    assert "The shelf is empty now." in settled.text
    finished = (await stream.next("turn_finished", "error")).turn_finished
    assert len(finished.text) >= action.offset
    lines = await history(starter, session_id)
    assert lines[-1].kind == pb.ENTRY_KIND_EVENT
    assert lines[-1].text == settled.text
    assert len(lines) > len(before)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer(starter, session_id, action.action_id, accept="")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    await stream.send(close=True)


async def test_only_those_that_are_eligible_are_taken(starter):
    stream = Stream(starter)
    session_id = (await stream.open(actions=[GIVE, OPEN, SCHEMA], sampling=SHORT)).session_id
    for names in (["open_door"], ["set_price"]):
        actions = pb.ActionsNow(names=names, required=True)
        for number in range(6):
            await stream.send(say={"text": f"Go on {names} {number}", "actions": actions})
            if (action := await requested(stream)) is not None:
                assert action.name in names
                await answer(starter, session_id, action.action_id, accept="")
                await stream.next("turn_finished")
    await stream.send(say={"text": "And now?", "actions": pb.ActionsNow(required=True)})
    assert await requested(stream) is None
    await stream.send(say={"text": "Hm?", "actions": now("fly")})
    error = (await stream.next("error")).error
    assert error.code == pb.ERROR_CODE_INVALID_ARGUMENT
    assert "fly" in error.message
    await stream.send(close=True)


async def test_an_interrupted_turn_runs_nothing_and_forgets_its_action(starter):
    stream = Stream(starter)
    session_id = (await stream.open(actions=[GIVE], sampling=SHORT)).session_id
    action = await acting(starter, stream, session_id, now("give_item"))
    await stream.send(interrupt=service.Interrupt())
    assert (await stream.next("turn_interrupted", "turn_finished")).HasField("turn_interrupted")
    assert not any("give_item" in line.text for line in await history(starter, session_id))
    with pytest.raises(grpc.aio.AioRpcError):
        await answer(starter, session_id, action.action_id, accept="")
    await stream.send(close=True)
    await starter.settled()


async def test_who_is_not_answered_goes_on(starter):
    stream = Stream(starter)
    session_id = (await stream.open(actions=[OPEN], sampling=SHORT)).session_id
    await acting(starter, stream, session_id, now("open_door", timeout_ms=50))
    settled = (await stream.next("action_settled")).action_settled
    assert not settled.accepted
    assert (await stream.next("turn_finished", "error")).HasField("turn_finished")
    await stream.send(close=True)


async def test_a_session_keeps_its_actions(starter):
    session_id = await starter.open(actions=[GIVE, OPEN, SCHEMA])
    request = service.GetSessionRequest(session_id=session_id)
    config = (await starter.stub.GetSession(request)).config
    kept = pb.ActionSpec()
    kept.CopyFrom(GIVE)
    kept.parameters[0].type = pb.PARAMETER_TYPE_STRING
    assert list(config.actions) == [kept, OPEN, SCHEMA]


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([pb.ActionSpec(name="two words")], "name"),
        ([pb.ActionSpec(name="none")], "none"),
        ([OPEN, OPEN], "twice"),
        ([pb.ActionSpec(name="a", json_schema="[]")], "json_schema"),
        ([pb.ActionSpec(name="a", parameters=[pb.ActionParameter(name="x", type=9)])], "type"),
    ],
)
async def test_actions_that_can_t_be(starter, actions, says):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await starter.open(actions=actions)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert says in caught.value.details()
