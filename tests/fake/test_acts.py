"""Characters of a script act, and a script that has them do nothing says what it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from townsfolk.client import (
    ActionParameter,
    ActionSpec,
    AsyncRuntime,
    InvalidArgumentError,
    Persona,
)
from townsfolk.fake import Script, ScriptedEngine, ScriptError
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1.dialogue_pb2 import (
    ACTION_PLACEMENT_BETWEEN,
    PARAMETER_TYPE_INTEGER,
    ActionsNow,
)

SCRIPT = """
[[lines]]
heard = "ale"
says = ["Here you are.", "Drink up."]
acts = { name = "give", arguments = { count = 2, item = "ale" } }

[[lines]]
heard = "both"
says = ["One.", "Two.", "Done."]
acts = [{ name = "give", arguments = { item = "ale" } }, { name = "leave" }]

[[lines]]
heard = "silver"
says = "Here."
acts = { name = "give", arguments = { item = "silver" } }

[[lines]]
heard = "sword"
says = ["Take it.<action>{}</action> I said so.", "Now go.<action>{}</action>"]

[[lines]]
heard = "bread"
says = ["Here.", "Eat it.<action>{}</action>"]
acts = { name = "give", arguments = { item = "bread" } }

[[lines]]
character = "Mira"
heard = "may go"
acts = { name = "leave" }

[[lines]]
says = "Well met."
"""
GIVE = ActionSpec(
    name="give",
    parameters=[
        ActionParameter(name="item", options=["ale", "bread"]),
        ActionParameter(
            name="count", type=PARAMETER_TYPE_INTEGER, minimum=1, maximum=3, optional=True
        ),
    ],
)
LEAVE = ActionSpec(name="leave")


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[AsyncRuntime]:
    path = tmp_path / "tavern.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    settings = ServiceSettings(port=0)
    server = RuntimeServer(settings)
    await server.start()
    await server.open(Backend.make(ScriptedEngine(Script.read(path), "tavern"), settings))
    try:
        async with AsyncRuntime.connect(f"127.0.0.1:{server.port}") as connected:
            yield connected
    finally:
        await server.stop()


async def test_an_episode_is_played_by_the_script(runtime):
    episode = await runtime.open_episode(Persona(name="Mira"), [GIVE, LEAVE], task="t")
    first, second = await episode.act("An ale!", speaker="Tom"), await episode.act("You may go.")
    assert (first.action, first.arguments) == ("give", {"item": "ale", "count": 2})
    assert (second.action, second.arguments) == ("leave", {})


@pytest.mark.parametrize(
    ("text", "actions", "says"),
    [("Hello.", (), "Well met."), ("Silver!", (), "silver"), ("An ale!", ("leave",), "give")],
)
async def test_an_act_that_the_script_lacks_is_asked_for(runtime, text, actions, says):
    episode = await runtime.open_episode(Persona(name="Mira"), [GIVE, LEAVE], task="t")
    with pytest.raises(InvalidArgumentError, match=r'acts = \{ name = "\.\.\.".*' + says) as caught:
        await episode.act(text, speaker="Tom", actions=actions)
    assert text in str(caught.value)
    assert (await episode.act("An ale!", speaker="Tom")).action == "give"  # it goes on


async def test_a_character_acts_where_the_turn_lets_it(runtime):
    taken = []

    def give(item: str, count: int = 1) -> str:
        """Give something."""
        taken.append((item, count))
        return "It was the last."

    def leave() -> None:
        """Leave."""
        taken.append("leaves")

    async with runtime.npc(Persona(name="Mira"), actions=[give, leave]) as npc:
        turn = npc.say("An ale!", "Tom")
        await turn.wait()
        assert (turn.text, taken) == ("Here you are. Drink up.", [("ale", 2)])
        taken.clear()
        between = ActionsNow(names=["give", "leave"], placement=ACTION_PLACEMENT_BETWEEN)
        turn = npc.say("I want both.", "Tom", actions=between)
        await turn.wait()
        assert (turn.text, taken) == ("One. Two. Done.", [("ale", 1), "leaves"])
        for text, actions in (("An ale!", []), ("Good evening.", ["give"])):
            turn = npc.say(text, "Tom", actions=actions)
            await turn.wait()
        assert (turn.text, len(taken)) == ("Well met.", 2)


@pytest.mark.parametrize("acts", ["[{}]", '{ name = "a", arguments = { day = 2020-01-01 } }'])
def test_what_is_no_action_is_refused(tmp_path, acts):
    path = tmp_path / "script.toml"
    path.write_text(f"[[lines]]\nacts = {acts}", encoding="utf-8")
    with pytest.raises(ScriptError, match=r"lines\.0\.acts\.0.*"):
        Script.read(path)


async def test_nobody_hears_an_action_that_may_not_be(runtime):
    def leave() -> None:
        """Leave."""
        raise AssertionError("it was not asked for")

    def give(item: str) -> None:
        """Give something."""

    async with runtime.npc(Persona(name="Mira")) as npc:  # can do nothing
        turn = npc.say("The sword!", "Tom")
        await turn.wait()
        assert turn.text == "Take it."
    async with runtime.npc(Persona(name="Mira"), actions=[leave]) as npc:  # can, but not now
        turn = npc.say("The sword!", "Tom", actions=[])
        await turn.wait()
        assert turn.text == "Now go."
    async with runtime.npc(Persona(name="Mira"), actions=[give]) as npc:  # did all that it may
        once = ActionsNow(names=["give"], placement=ACTION_PLACEMENT_BETWEEN, most=1)
        turn = npc.say("Some bread!", "Tom", actions=once)
        await turn.wait()
        assert turn.text == "Here. Eat it."
