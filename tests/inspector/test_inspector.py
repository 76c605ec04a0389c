"""`townsfolk inspect` against a real runtime: in a headless terminal, and as a recording."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime_process import LaunchedRuntime, launch_runtime
from townsfolk.client import AsyncRuntime, Persona, SamplingParams

SHORT = SamplingParams(max_new_tokens=6, min_new_tokens=6)
ODD = "[red]Mira[/red] [/"  # would be markup, and broken


@pytest.fixture(scope="module")
def runtime() -> Iterator[LaunchedRuntime]:
    with launch_runtime("--threads", "1") as launched:
        yield launched


def address(runtime: LaunchedRuntime) -> str:
    return f"{runtime.address}:{runtime.port}"


async def shown(app, pilot, widget: str, text: str) -> str:
    """Wait until a text widget shows something; return all that it shows."""
    while text not in (content := str(app.query_one(widget).render())):
        assert app.is_running
        await pilot.pause(0.02)
    return content


def cells(app, table: str) -> list[list[str]]:
    found = app.query_one(table)
    return [[str(cell) for cell in found.get_row_at(row)] for row in range(found.row_count)]


async def test_the_view_shows_sessions_prompt_turns_transcript_and_errors(runtime):
    pytest.importorskip("textual", reason="pip install 'townsfolk[inspect]'")
    from townsfolk.inspector.app import Inspector

    async with AsyncRuntime.connect(address(runtime), runtime.token) as client:
        brann = client.npc(Persona(name="Brann"), session_id="a", sampling=SHORT)
        mira = client.npc(Persona(name=ODD), session_id="b", sampling=SHORT)
        await brann.say("Do you sell nails?").wait()
        for line in ("Good evening!", "Is the inn full?"):
            turn = mira.say(line)
            await turn.wait()
        app = Inspector(client, interval_s=0.05)
        async with app.run_test(size=(160, 50)) as pilot:
            content = await shown(app, pilot, "#prompt-text", "Do you sell nails?")
            assert "You are Brann." in content
            status = await shown(app, pilot, "#status", "first token")
            assert re.search(r"with prompts \d+\.\d ms \(p99 \d+\.\d\)", status)
            assert [row[:2] for row in cells(app, "#sessions")] == [["Brann", "a"], [ODD, "b"]]

            app.query_one("#sessions").focus()
            await pilot.press("down")
            content = await shown(app, pilot, "#prompt-text", "Is the inn full?")
            cached, whole = turn.usage.cached_tokens, turn.usage.prompt_tokens
            assert f"{whole} tokens for {turn.turn_id}, {cached} of them from the cache" in content

            await pilot.press("t")
            newest, oldest = cells(app, "#turn-table")
            assert newest[0] == turn.turn_id
            assert newest[-2:] == [str(whole), str(cached)]
            assert newest[1].startswith("finished")
            assert oldest[0] != newest[0]

            await pilot.press("l")
            assert "Player: Is the inn full?" in await shown(app, pilot, "#line-text", ODD)

            with pytest.raises(LookupError):
                await client.session("nobody")
            while not any("nobody" in row[-1] for row in cells(app, "#error-table")):
                await pilot.pause(0.02)

            await pilot.press("space")
            assert app.sub_title == "paused"
            await pilot.press("space")
            await mira.close()
            while len(cells(app, "#sessions")) > 1:
                await pilot.pause(0.02)
        await brann.close()


async def test_a_runtime_that_goes_away_is_said_and_awaited():
    pytest.importorskip("textual", reason="pip install 'townsfolk[inspect]'")
    from townsfolk.inspector.app import Inspector

    with launch_runtime("--threads", "1") as launched:
        async with AsyncRuntime.connect(address(launched), launched.token) as client:
            app = Inspector(client, interval_s=0.05)
            async with app.run_test(size=(160, 50)) as pilot:
                await shown(app, pilot, "#status", "first token")
                launched.process.stop()
                await shown(app, pilot, "#status", "can't look")


def record(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "townsfolk", "inspect", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120
    )


@pytest.mark.parametrize("flags", [(), ("--no-text",)])
async def test_a_recording_has_all_but_secrets_and_on_request_no_text(runtime, tmp_path, flags):
    async with AsyncRuntime.connect(address(runtime), runtime.token) as client:
        npc = client.npc(Persona(name="Zephyrine"), session_id="tale", sampling=SHORT)
        await npc.say(f"My token is {runtime.token}, keep it.", "Xanthippe").wait()
        file = tmp_path / "seen.jsonl"
        done = record(
            *("--connect", address(runtime), "--record", str(file), "--no-view"),
            *("--seconds", "0.3", "--interval", "0.1", *flags),
            TOWNSFOLK_AUTH_TOKEN=runtime.token,
        )
        assert done.returncode == 0, done.stderr
        await npc.close()
    text = file.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert runtime.token not in text
    assert "townsfolk" in lines[0]
    assert lines[1]["info"]["version"]
    [session] = [s for s in lines[1]["sessions"] if s["summary"]["transcript_entries"] == 2]
    usage = session["seen"]["turns"][0]["usage"]
    assert usage["generated_tokens"] == 6
    if flags:
        assert "Zephyrine" not in text
        assert "Xanthippe" not in text
        assert "tale" not in text
    else:
        assert len(session["seen"]["prompt"]["token_ids"]) == usage["prompt_tokens"]
        assert "Xanthippe: My token is [removed], keep it." in json.dumps(session)
    assert all("sessions" not in line for line in lines[2:]), "what has not changed is not repeated"
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_wrong_is_said(runtime, tmp_path):
    file = str(tmp_path / "seen.jsonl")
    for arguments, message in (
        (("--connect", "127.0.0.1:1", "--no-view"), "--no-view needs --record"),
        (("--connect", address(runtime), "--no-view", "--record", file), "token"),
        (("--connect", "127.0.0.1:9", "--no-view", "--record", str(tmp_path)), str(tmp_path)),
        (("--ready-file", str(Path(__file__)), "--no-view", "--record", file), "inspect:"),
    ):
        done = record(*arguments, TOWNSFOLK_AUTH_TOKEN="")
        assert done.returncode in (1, 2)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
