"""What a runtime records of play where it is told to, and what it leaves out."""

from __future__ import annotations

import json
import os
import stat
from contextlib import asynccontextmanager

import pytest
from townsfolk.client import ActionSpec, AsyncRuntime, Persona, TownsfolkError
from townsfolk.fake import Script, ScriptedEngine
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError

SCRIPT = """
[[lines]]
heard = "storm"
says = "It is coming. Get inside at once!"
fails = "failed"
after_words = 3

[[lines]]
heard = "crowd"
fails = "overloaded"

[[lines]]
heard = "ale"
says = ["Here you are.", "Drink up."]
acts = { name = "give" }

[[lines]]
says = "Well met, {speaker}."
"""
MIRA = Persona(name="Mira", description="The innkeeper.")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "play"


@asynccontextmanager
async def running(tmp_path, folder, **fields):
    path = tmp_path / "tavern.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    settings = ServiceSettings(port=0, auth_token="s3cret", record_play=folder, **fields)
    server = RuntimeServer(settings)
    await server.start()
    backend = Backend.make(ScriptedEngine(Script.read(path), "tavern"), settings)
    await server.open(backend)
    try:
        async with AsyncRuntime.connect(f"127.0.0.1:{server.port}", "s3cret") as connected:
            yield connected
    finally:
        await server.stop()
        await backend.aclose()


def recorded(folder):
    """The conversations of a folder, whose files are whole and for this user only."""
    found = []
    for path in sorted(folder.iterdir()):
        assert path.suffix == ".json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "s3cret" not in path.read_text()
        found.append(json.loads(path.read_text()))
    return found


async def test_a_conversation_that_has_ended_is_kept_without_what_tells_who_played(
    tmp_path, folder
):
    async with running(tmp_path, folder) as runtime:
        await runtime.register_lore("town", "The bridge fell.")

        def give() -> None:
            """Give something."""

        named = {"session_id": "player-4711", "lore": ["town"], "actions": [give]}
        async with runtime.npc(MIRA, **named) as npc:
            await npc.say("Hello!", "Tom").wait()
            await npc.notify("It rains.")
            await npc.say("An ale!", "Tom").wait()
            await npc.interrupt(heard_characters=4)
            assert not [*folder.iterdir()]  # it goes on
    (kept,) = recorded(folder)
    assert kept == {
        "format": 1,
        "model": "tavern",
        "adapter": "",
        "ended": "closed",
        "persona": {"name": "Mira", "description": "The innkeeper."},
        "lore": ["The bridge fell."],
        "actions": [{"name": "give", "description": "Give something."}],
        "lost": 0,
        "transcript": [
            {"kind": "heard", "speaker": "Tom", "text": "Hello!", "turn_id": "1"},
            {"kind": "spoke", "speaker": "Mira", "text": "Well met, Tom.", "turn_id": "1"},
            {"kind": "event", "text": "It rains."},
            {"kind": "heard", "speaker": "Tom", "text": "An ale!", "turn_id": "2"},
            {"kind": "spoke", "speaker": "Mira", "text": "Here", "cut": True, "turn_id": "2"},
            {"kind": "event", "text": "Mira: give() is done"},
        ],
        "acts": [{"turn_id": "2", "name": "give", "arguments": {}, "accepted": True}],
        "failed": [],
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_what_failed_is_marked_and_what_stops_with_the_runtime_is_kept(tmp_path, folder):
    async with running(tmp_path, folder) as runtime:
        npc = await runtime.npc(MIRA).__aenter__()
        with pytest.raises(TownsfolkError):
            await npc.say("A storm!").wait()
        await npc.say("Hello!").wait()
    (kept,) = recorded(folder)
    assert kept["failed"] == ["1"]
    assert kept["ended"] in ("closed", "stopped")
    spoke = [each for each in kept["transcript"] if each["kind"] == "spoke"]
    assert [each.get("cut", False) for each in spoke] == [True, False]


async def test_what_is_off_the_record_says_nothing_or_is_an_episode_is_not_kept(tmp_path, folder):
    async with running(tmp_path, folder) as runtime:
        async with runtime.npc(MIRA, off_the_record=True) as npc:
            await npc.say("A secret.").wait()
            assert npc.save().off_the_record
        async with runtime.npc(MIRA) as npc:
            await npc.notify("It rains.")
        episode = await runtime.open_episode(MIRA, [ActionSpec(name="give")], task="t")
        await episode.act("An ale!")
        await episode.end()
    assert not recorded(folder)


async def test_without_a_folder_nothing_is_kept(tmp_path, folder):
    async with running(tmp_path, None) as runtime, runtime.npc(MIRA) as npc:
        await npc.say("Hello!").wait()
    assert not folder.exists()


async def test_lines_that_the_character_forgot_are_kept(tmp_path, folder):
    limits = {"max_message_bytes": 1024}
    async with running(tmp_path, folder, **limits) as runtime, runtime.npc(MIRA) as npc:
        for number in range(12):
            await npc.say(f"{number} " + "word " * 16).wait()
        remembered = len(npc.save().history)
    (kept,) = recorded(folder)
    heard = [each["text"].split()[0] for each in kept["transcript"] if each["kind"] == "heard"]
    assert heard == [str(number) for number in range(12)]
    assert remembered < len(kept["transcript"]) == 24


async def test_a_full_folder_takes_no_more_and_keeps_what_it_has(tmp_path, folder, caplog):
    folder.mkdir()
    (folder / "large.json").write_bytes(b"x" * (1 << 20))
    (folder / "large.json").chmod(0o600)
    async with running(tmp_path, folder, record_play_mib=1) as runtime:
        for _ in range(2):
            async with runtime.npc(MIRA) as npc:
                await npc.say("Hello!").wait()
    assert [path.name for path in folder.iterdir()] == ["large.json"]
    assert caplog.text.count("no more conversations are recorded") == 1


def test_a_folder_that_cannot_be_used_is_said_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"record_play .*file.play can't be used"):
        RuntimeServer(ServiceSettings(port=0, record_play=tmp_path / "file" / "play"))


async def test_a_folder_that_went_away_fails_no_game(tmp_path, folder, caplog):
    async with running(tmp_path, folder) as runtime:
        os.rmdir(folder)
        async with runtime.npc(MIRA) as npc:
            await npc.say("Hello!").wait()
    assert "a conversation was not recorded" in caplog.text
