"""The add-on in the real editor: the dock with its test chat, and exporting a game."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path

import godot_engine
import pytest
from runtime_process import launch_runtime
from townsfolk.client import Persona, Runtime, RuntimeProcess, TownsfolkError

TOWNSFOLK = Path(sys.executable).with_name("townsfolk")


def test_the_dock_starts_a_runtime_and_talks_to_the_selected_persona(godot):
    output = godot.run(
        "--editor",
        TOWNSFOLK_PROBE="dock",
        TOWNSFOLK_EXECUTABLE=str(TOWNSFOLK),
        OMP_NUM_THREADS="1",
    )
    dock, edited, stopped = godot_engine.events(output)
    assert dock["state"] == "Ready"
    assert dock["persona"] == "Mira"
    lines = dock["chat"].splitlines()
    assert lines[0] == "You: Good evening! What is your name?"
    assert lines[1].startswith("Mira: ")
    assert "tokens, first after" in lines[1]
    # The same persona with another name, and the sampling of the agent that was selected then.
    speakers = edited["speakers"].split(",")
    assert speakers == ["Player", "Mira", "Player", "Mira", "Player", "Brann"]
    assert edited["tokens"] == "1"
    assert (edited["left"], edited["chat"]) == ("0", "")
    assert stopped["state"] == "Stopped"


SCRIPT = """
[[lines]]
heard = "storm"
says = "It is coming."
fails = "failed"

[[lines]]
says = "Well met."
"""


def test_the_dock_looks_into_the_runtime_of_the_game(godot, tmp_path):
    script, recording = tmp_path / "inn.toml", tmp_path / "Aufnahme für Jörg.jsonl"
    script.write_text(SCRIPT, encoding="utf-8")
    with (
        RuntimeProcess(["--model", str(script)]) as process,
        Runtime.connect((endpoint := process.start()).address, endpoint.token) as runtime,
    ):
        mira = runtime.npc(Persona(name="Mira"), session_id="inn")
        brann = runtime.npc(Persona(name="Brann"), session_id="smithy")
        turn = mira.say("Good evening! [b]Bold[/b]").wait()
        with pytest.raises(TownsfolkError):
            mira.say("A storm!").wait()
        brann.say("A nail, please.").wait()
        output = godot.run(
            "--editor",
            TOWNSFOLK_PROBE="inspector",
            TOWNSFOLK_PROBE_ENDPOINT=f"{endpoint.address} {endpoint.token}",
            TOWNSFOLK_PROBE_RECORDING=str(recording),
            TOWNSFOLK_EXECUTABLE=str(TOWNSFOLK),
        )
    seen = godot_engine.events(output)
    tables = {event["name"]: json.loads(event["cells"]) for event in seen if "cells" in event}
    assert tables["sessions"] == [["Mira", "inn", "4", "0"], ["Brann", "smithy", "2", "0"]]
    failed, finished = tables["turns"]
    assert (finished[0], finished[1], finished[6]) == (turn.turn_id, "finished (end)", "2")
    assert failed[1] == "failed"
    assert [row[3] for row in tables["errors"]] == [failed[0]]
    prompts = [event["text"] for event in seen if event["event"] == "prompt"]
    assert "You are Mira" in prompts[0]
    assert "You are Brann" in prompts[1]
    assert "A nail, please." in prompts[1]
    (transcript,) = (event["text"] for event in seen if event["event"] == "transcript")
    assert transcript.splitlines()[:2] == ["Player: Good evening! [b]Bold[/b]", "Mira: Well met."]
    (status,) = (event["text"] for event in seen if event["event"] == "status")
    assert status.startswith("0 run, 0 wait; first token ")
    assert "step -, with prompts -" in status  # a script has no steps
    (recorded,) = (event for event in seen if event["event"] == "recorded")
    assert recorded["problem"] == ""
    written = recording.read_text(encoding="utf-8")
    assert "Well met." in written
    assert endpoint.token not in written
    assert seen[-1] == {"event": "left", "is_the_docks": "true", "rows": "[]"}


def test_a_game_tells_the_editor_where_its_runtime_is(godot, tmp_path):
    script = tmp_path / "inn.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    with (
        launch_runtime("--model", str(script)) as launched,
        socket.create_server(("127.0.0.1", 0)) as editor,
    ):
        editor.settimeout(300)
        heard = bytearray()

        def listen() -> None:
            connection, _ = editor.accept()
            with connection:
                while piece := connection.recv(4096):
                    heard.extend(piece)

        listening = threading.Thread(target=listen)
        listening.start()
        address = f"{launched.address}:{launched.port}"
        debugged = f"tcp://127.0.0.1:{editor.getsockname()[1]}"
        scene = ("res://drivers/main.tscn", "--remote-debug", debugged)
        godot.run(*scene, "--", "version", "meet", address, launched.token)
        listening.join()
    told = heard.index(b"townsfolk:runtime")
    assert heard.index(address.encode(), told) < heard.index(launched.token.encode(), told)


def test_the_play_button_runs_the_game_and_the_dock_looks_into_it(godot, tmp_path):
    script = tmp_path / "inn.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    settings = godot.project / "project.godot"
    before = settings.read_text()
    played = f'[editor]\n\nrun/main_run_args="--headless -- npc launched_for_ever {script}"\n'
    model = f'[townsfolk]\n\nruntime/model="{script}"\n'
    settings.write_text(before.replace("[townsfolk]\n", played + model))
    try:
        output = godot.run("--editor", TOWNSFOLK_PROBE="play", TOWNSFOLK_EXECUTABLE=str(TOWNSFOLK))
    finally:
        settings.write_text(before)
    seen = godot_engine.events(output)
    (shown,) = (event for event in seen if event["event"] == "played")
    ((name, _, _, _),) = json.loads(shown["sessions"])
    assert (name, shown["is_the_docks"]) == ("Mira", "false")
    assert shown["docks_runtime"] == "Stopped"
    assert seen[-1] == {"event": "ended", "is_playing": "false"}
    (turn,) = (event for event in seen if event["event"] == "turn")  # the game's own words
    assert turn["text"] == "Well met."
    godot_engine.wait_until_gone(turn["pid"])


def test_the_addon_is_switched_off_without_an_error(godot):
    settings = godot.project / "project.godot"
    before = settings.read_text()
    try:
        events = godot_engine.events(godot.run("--editor", TOWNSFOLK_PROBE="switch_off"))
    finally:
        settings.write_text(before)
    assert [event["is_there"] for event in events] == ["false", "false"]


def export(godot, preset: str, target: Path) -> str:
    return godot.run("--export-pack", preset, str(target), check=False)


def test_an_export_carries_the_launch_settings_and_warns_of_what_is_missing(exporting, tmp_path):
    target = tmp_path / "game.pck"
    output = export(exporting, "Linux", target)
    assert f"the runtime is missing: put it at {tmp_path}/runtime/townsfolk" in output
    pack = target.read_bytes()
    start = pack.index(b'{\n\t"arguments"')
    launch = json.loads(pack[start : pack.index(b"}", start) + 1])
    assert launch == {"arguments": [], "executable": "runtime/townsfolk", "model": "starter"}
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/townsfolk").touch()
    assert "the runtime is missing" not in export(exporting, "Linux", target)


def test_a_web_export_is_told_that_it_needs_a_runtime_elsewhere(exporting, tmp_path):
    output = export(exporting, "Web", tmp_path / "game.pck")
    assert "can't start a runtime beside the game" in output


def test_a_web_export_is_told_when_its_transport_can_not_work(exporting, tmp_path):
    settings = exporting.project / "project.godot"
    text = settings.read_text()
    settings.write_text(text.replace("[townsfolk]\n", "[townsfolk]\n\nconnection/transport=1\n"))
    assert "set Project Settings > Townsfolk > Connection > Transport" in export(
        exporting, "Web", tmp_path / "game.pck"
    )
