"""A teacher plays characters through a runtime, and what is not sound is left out."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from townsfolk.client import AsyncRuntime
from townsfolk.dataset import filters
from townsfolk.dataset.cast import Cast
from townsfolk.dataset.journal import Journal, JournalError
from townsfolk.dataset.teacher import (
    Task,
    Teacher,
    TeacherSettings,
    _Dialogue,
    reasons,
    slipped,
)
from townsfolk.fake import Script, ScriptedEngine
from townsfolk.fake.engine import LIKELY, UNLIKELY
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings

CAST = """
licence: CC0-1.0
lore: [The bridge fell.]
characters:
  - name: Mira
    description: The innkeeper.
    facts: [{ask: ["What is your trade?"], says: [innkeeper]}]
  - name: Bran
    description: The guard.
    facts: [{ask: ["Who are you now?"], line: I am the guard., never: [I am the thief.]}]
"""
# In order: the first line that fits speaks.
MIRA = """
[[lines]]
character = "Mira"
heard = "trade"
says = "I am the innkeeper here."
[[lines]]
character = "Mira"
says = ["Sit down by the fire.", "The stew is hot.", "It will rain soon.", "Rest your feet."]
"""
BRAN = """
[[lines]]
character = "Bran"
heard = "Who are you now"
says = "I am the guard."
[[lines]]
character = "Bran"
says = ["Nobody passes here.", "Move along.", "The gate is shut.", "Keep your hands still."]
"""
PLAYERS = """
[[lines]]
says = ["Is there a bed?", "What is there to eat?", "How far is it to the sea?", "I see."]
"""


@asynccontextmanager
async def teacher(tmp_path, script, **settings):
    (tmp_path / "cast.yaml").write_text(CAST, encoding="utf-8")
    (tmp_path / "script.toml").write_text(script, encoding="utf-8")
    service = ServiceSettings(port=0)
    server = RuntimeServer(service)
    await server.start()
    engine = ScriptedEngine(Script.read(tmp_path / "script.toml"), "script")
    backend = Backend.make(engine, service)
    await server.open(backend)
    try:
        async with AsyncRuntime.connect(f"127.0.0.1:{server.port}") as runtime:
            cast = Cast.read(tmp_path / "cast.yaml")
            yield Teacher(runtime, cast, TeacherSettings(**{"turns": 3} | settings))
    finally:
        await server.stop()
        await backend.aclose()


async def played(tmp_path, script, **settings):
    async with teacher(tmp_path, script, **settings) as it:
        return [outcome async for outcome in it.play(it.tasks)]


async def test_sound_dialogues_are_kept_and_repeat_with_their_seed(tmp_path):
    script = MIRA + BRAN + PLAYERS
    outcomes = await played(tmp_path, script, count=6, at_once=4)
    assert {each.task for each in outcomes} == {
        Task(name, number) for name in ("Mira", "Bran") for number in range(6)
    }
    kept = [each for each in outcomes if each.script is not None]
    assert kept
    for each in kept:
        assert each.script.lore == ("The bridge fell.",)
        assert [entry.kind.value for entry in each.script.transcript][:2] == ["heard", "spoke"]
    # One after the other, as the script's own order of lines depends on who asks when.
    first, second = [
        [each.to_json() for each in await played(tmp_path, script, count=3, at_once=1, seed=5)]
        for _ in range(2)
    ]
    assert first == second


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        ("As an AI language model, I can't do that.", filters.OUT_OF_ROLE),
        ("You nod and give me the coin.", filters.FOR_THE_PLAYER),
        ("I am the", filters.BROKEN),
        ("Take it, take it, take it, " + "take it, " * 30, filters.LOOP),
    ],
)
async def test_a_bad_reply_ends_a_dialogue_and_is_told(tmp_path, says, fault):
    script = f'[[lines]]\ncharacter = "Mira"\nsays = {json.dumps(says)}\n' + BRAN + PLAYERS
    outcomes = await played(tmp_path, script, count=4)
    mira = [each for each in outcomes if each.task.character == "Mira"]
    assert {each.fault for each in mira} == {fault}
    assert all(each.script is None for each in mira)
    assert reasons(mira) == {fault: 4}


async def test_an_answer_without_the_fact_is_dropped(tmp_path):
    wrong = '[[lines]]\ncharacter = "Mira"\nheard = "trade"\nsays = "I bake bread."\n' + MIRA
    outcomes = await played(tmp_path, wrong + BRAN + PLAYERS, count=24)
    assert ("Mira", filters.WRONG) in {(each.task.character, each.fault) for each in outcomes}


async def test_whoever_asks_for_a_fact_is_to_be_told(tmp_path):
    async with teacher(tmp_path, MIRA + BRAN + PLAYERS) as it:
        mira = it._cast.characters[0]
        assert it._asked(mira, "what is your trade").says == ("innkeeper",)
        assert it._asked(mira, "What's your name?").says == ("Mira", "Mira")
        assert it._asked(mira, "Is there a bed?") is None


async def test_a_contradiction_that_became_likelier_is_seen(tmp_path):
    # The fake engine finds a text likely that the script would say, whoever the character is.
    anybody = BRAN.replace('character = "Bran"\n', "")
    async with teacher(tmp_path, anybody) as it:
        bran = it._cast.characters[1]
        async with it._both(_Dialogue(bran, (), "Tom"), Random(0)) as (npc, _):
            likelier = await it._margins(npc, _Dialogue(bran, (), "Tom"))
    assert likelier == pytest.approx([LIKELY - UNLIKELY])
    assert not slipped(likelier, likelier)
    assert slipped(likelier, [-0.1])
    assert slipped([1.0, 1.0], [1.0, -0.1])
    assert not slipped([-0.5], [-1.0])  # the teacher thought so before
    assert slipped([-0.5], [-3.0])


async def test_a_stopped_run_goes_on_and_ends_alike(tmp_path):
    script = MIRA + BRAN + PLAYERS
    about = {"teacher": "script", "seed": 0, "count": 3, "runtime": "1"}
    async with teacher(tmp_path, script, count=3, at_once=1) as it:
        whole = Journal(tmp_path / "whole", about, resume=False)
        async for outcome in it.play(it.tasks):
            whole.add(outcome)
    kept = whole.finish(reasons(whole.outcomes))
    begun = Journal(tmp_path / "parts", about, resume=False)
    for outcome in whole.outcomes[:2]:
        begun.add(outcome)
    with (tmp_path / "parts" / "journal.jsonl").open("a") as file:
        file.write('{"character": "Mi')  # a crash
    resumed = Journal(tmp_path / "parts", about, resume=True)
    assert resumed.done == {each.task for each in whole.outcomes[:2]}
    for outcome in reversed(whole.outcomes[2:]):
        resumed.add(outcome)
    assert resumed.finish(reasons(resumed.outcomes)) == kept
    for name in ("dialogues.jsonl", "about.json"):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_another_run_is_neither_overwritten_nor_gone_on_with(tmp_path):
    about = {"teacher": "script", "seed": 0, "count": 3}
    Journal(tmp_path / "run", about, resume=False)
    with pytest.raises(JournalError, match="by --resume"):
        Journal(tmp_path / "run", about, resume=False)
    with pytest.raises(JournalError, match=r"seed 0 \(now 1\)"):
        Journal(tmp_path / "run", about | {"seed": 1}, resume=True)
    Journal(tmp_path / "run", about | {"count": 30}, resume=True)
    with pytest.raises(JournalError, match="no run to go on with"):
        Journal(tmp_path / "none", about, resume=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("characters: []", "characters"),
        ("characters: [{name: Mira, trade: smith}]", "characters.0.trade"),
        ("characters: [{name: Mira}, {name: Mira}]", "two called 'Mira'"),
        ('characters: [{name: Mira, facts: [{ask: ["Who?"]}]}]', "says or never"),
        (
            "characters: [{name: Mira, facts: [{ask: [Who], line: No., never: [No.]}]}]",
            "never: has a text twice",
        ),
        ("- Mira", "must have the fields"),
        ("characters: [", "cast.yaml"),
    ],
)
def test_what_is_wrong_with_a_cast_is_said(tmp_path, text, says):
    (tmp_path / "cast.yaml").write_text(text)
    with pytest.raises(ValueError, match=says):
        Cast.read(tmp_path / "cast.yaml")


def test_the_sample_is_a_cast():
    cast = Cast.read(Path(__file__).parents[2] / "samples" / "training" / "cast.yaml")
    assert len(cast.characters) >= 6
    for character in cast.characters:
        assert character.facts
