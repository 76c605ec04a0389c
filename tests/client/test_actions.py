from __future__ import annotations

import enum
from typing import Literal

import pytest
from service_runtime import serving
from townsfolk.client import (
    ActionRefusedError,
    ActionsNow,
    AsyncRuntime,
    InvalidArgumentError,
    Persona,
    Runtime,
    SamplingParams,
    action,
)
from townsfolk.v1 import dialogue_pb2 as pb

SHORT = SamplingParams(seed=3, max_new_tokens=12)


class Door(enum.Enum):
    CELLAR = "cellar"
    GATE = "gate"


def test_a_function_says_what_it_takes():
    def give(
        item: Literal["ale", "bread"], count: int = 1, *, door: Door, kindly: bool | None = None
    ):
        """Gives something.

        Not said.
        """

    made = action(give, when="It is paid for.")
    assert (made.name, made.description, made.condition) == (
        "give",
        "Gives something.",
        "It is paid for.",
    )
    fields = [(p.name, p.type, list(p.options), p.optional) for p in made.parameters]
    assert fields == [
        ("item", pb.PARAMETER_TYPE_STRING, ["ale", "bread"], False),
        ("count", pb.PARAMETER_TYPE_INTEGER, [], True),
        ("door", pb.PARAMETER_TYPE_STRING, ["cellar", "gate"], False),
        ("kindly", pb.PARAMETER_TYPE_BOOLEAN, [], True),
    ]


def test_what_no_action_can_take():
    def bad(thing: object): ...
    def untyped(thing): ...
    def many(*things: str): ...

    for function in (bad, untyped, many):
        with pytest.raises(InvalidArgumentError, match=r"thing"):
            action(function)


async def test_the_functions_of_a_character_are_called():
    taken = []

    def give(item: Literal["ale", "bread"]) -> str:
        """Gives something."""
        taken.append(item)
        return f"the {item} is on the table"

    async def open_door(door: Door) -> None:
        """Opens a door."""
        raise ActionRefusedError(f"the {door.value} is locked")

    async with (
        serving("starter", dtype="float32", kv_memory_mib=192) as starter,
        AsyncRuntime.connect(f"127.0.0.1:{starter.server.port}") as runtime,
    ):
        npc = runtime.npc(Persona(name="Mira"), actions=[give, open_door], sampling=SHORT)
        for name, said in (("give", "is on the table"), ("open_door", "is locked")):
            turn = npc.say("Please!", actions=ActionsNow(names=[name], required=True))
            events = [event async for event in turn.events()]
            settled = next(e.action_settled for e in events if e.HasField("action_settled"))
            assert said in settled.text
            assert settled.accepted == (name == "give")
        session = await runtime.session(npc.session_id)
        assert list(session.config.history) == npc.transcript.entries
        assert taken[0] in ("ale", "bread")
        by_hand = runtime.npc(Persona(name="Mira"), actions=[action(give)], sampling=SHORT)
        turn = by_hand.say("Please!", actions=ActionsNow(names=["give"], required=True))
        async for event in turn.events():
            if event.HasField("action_requested"):
                await by_hand.reject(event.action_requested.action_id, "there is none")
            if event.HasField("action_settled"):
                assert "there is none" in event.action_settled.text


def test_the_functions_of_a_character_without_asyncio(tmp_path):
    taken = []

    def give(item: Literal["ale", "bread"]) -> None:
        """Gives something."""
        taken.append(item)

    with Runtime.launch("--model", "starter", "--device", "cpu") as runtime:
        npc = runtime.npc(Persona(name="Mira"), actions=[give], sampling=SHORT)
        npc.say("Please!", actions=ActionsNow(names=["give"], required=True)).wait()
        assert taken
        assert npc.transcript[-1].kind == pb.ENTRY_KIND_EVENT
