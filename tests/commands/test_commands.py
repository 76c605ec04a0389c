"""The command line as a person uses it: real processes, the starter model."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runtime_process import launch_runtime
from townsfolk.cli import COMMANDS

TOWNSFOLK = [sys.executable, "-m", "townsfolk"]


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOWNSFOLK, *arguments], input=text, capture_output=True, text=True, timeout=500
    )


def test_help_names_every_command() -> None:
    shown = run("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s", shown, re.MULTILINE), name


def test_talk_reads_piped_input() -> None:
    talk = run("talk", "--seed", "1", text="Hello!\nWhat is your name?\n/quit\nnever said\n")
    assert talk.returncode == 0, talk.stderr
    lines = [line for line in talk.stdout.splitlines() if line]
    assert [line.split(":")[0] for line in lines[1:]] == ["You", "Mira Holloway"] * 2 + ["You"]
    assert "Mira" in lines[4].removeprefix("Mira Holloway:")
    assert "never said" not in talk.stdout


def test_talk_knows_what_a_game_can_have_a_character_do(tmp_path: Path) -> None:
    script = tmp_path / "inn.toml"
    lines = (("none", "Good evening!"), ("event", "Who is there?"), ("said", "You said {heard}"))
    for cue, says in lines:
        with script.open("a", encoding="utf-8") as file:
            file.write(f'[[lines]]\ncue = "{cue}"\nsays = "{says}"\n')
    text = "/greet\n/event A knock.\n/line Wait.\n/event\nHello!\n"
    with launch_runtime("--model", str(script)) as runtime:
        address = ("--connect", f"{runtime.address}:{runtime.port}", "--token", runtime.token)
        talk = run("talk", *address, text=text)
    assert talk.returncode == 0, talk.stderr
    answers = [line for line in talk.stdout.splitlines() if line.startswith("Mira Holloway:")]
    assert answers[:2] == ["Mira Holloway: Good evening!", "Mira Holloway: Who is there?"]
    assert "[text: has 0 characters" in talk.stdout
    assert answers[-1] == "Mira Holloway: You said Hello!"


def test_talk_to_a_runtime_that_runs_leaves_no_session_there() -> None:
    with launch_runtime("--threads", "1", "--max-sessions", "1") as runtime:
        address = ("--connect", f"{runtime.address}:{runtime.port}", "--token", runtime.token)
        for text in ("Hello!\n/quit\n", "Hello!\n", "", "Hello!\n"):
            talk = run("talk", *address, text=text)
            assert (talk.returncode, talk.stderr) == (0, "")


def test_talk_takes_a_persona_file(tmp_path: Path) -> None:
    persona = tmp_path / "persona.json"
    persona.write_text(json.dumps({"name": "Old Tom", "description": "A ferryman of Greywater."}))
    talk = run("talk", "--persona", str(persona), "--temperature", "0", text="Hello!\n")
    assert "\nOld Tom: " in talk.stdout


def test_talk_refuses_a_persona_that_is_none(tmp_path: Path) -> None:
    persona = tmp_path / "persona.json"
    persona.write_text('{"nmae": "Old Tom"}')
    talk = run("talk", "--persona", str(persona))
    assert talk.returncode == 1
    assert "nmae" in talk.stderr


def test_ctrl_c_interrupts_the_answer_and_the_talk_goes_on() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        # A shell ignores Ctrl-C for what it runs in the background, as these tests may be.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        noise = ("--temperature", "5", "--top-k", "0", "--top-p", "1")
        length = ("--min-new-tokens", "900", "--max-new-tokens", "900")
        os.execv(TOWNSFOLK[0], [*TOWNSFOLK, "talk", *noise, *length])
    shown = ""

    def wait_for(condition: str, begin: int = 0) -> None:
        nonlocal shown
        deadline = time.monotonic() + 500
        while condition not in shown[begin:]:
            assert time.monotonic() < deadline, shown
            shown += os.read(terminal, 4096).decode("utf-8", "replace")

    try:
        wait_for("You: ")
        os.write(terminal, b"Tell me everything you know.\r")
        wait_for("Mira Holloway: ")
        answer = len(shown)
        while len(shown) < answer + 20:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
        os.write(terminal, b"\x03")
        wait_for(" —", answer)
        wait_for("You: ", answer)
        os.write(terminal, b"/quit\r")
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_generate_completes_and_shows_log_probabilities() -> None:
    asked = ("generate", "The innkeeper", "--seed", "5", "--max-new-tokens", "8")
    plain = run(*asked, "--echo")
    assert plain.returncode == 0, plain.stderr
    assert "The innkeeper" in plain.stdout
    scored = run(
        "generate", "The innkeeper", "--seed", "5", "--max-new-tokens", "8", "--logprobs=2"
    )
    rows = [line.split() for line in scored.stdout.splitlines() if line]
    assert 1 <= len(rows) <= 8
    assert all(float(row[0]) <= 0 for row in rows)


def test_doctor_says_what_will_run() -> None:
    doctor = run("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "Townsfolk can run here." in doctor.stdout
    assert "starter" in doctor.stdout
    assert re.search(r"weights \d+ MiB .*conversations 512 MiB", doctor.stdout)


def test_doctor_says_what_is_missing() -> None:
    doctor = run("doctor", "--model", "./nowhere")
    assert doctor.returncode == 1
    assert "nowhere" in doctor.stdout


def test_bench_ends_in_a_json_line() -> None:
    bench = run("bench", "--npcs", "2", "--turns", "1", "--new-tokens", "8")
    assert bench.returncode == 0, bench.stderr
    report = json.loads(bench.stdout.splitlines()[-1])
    (row,) = report["rows"]
    assert row["NPCs"] == 2
    assert row["tokens/s"] > 0
    assert 0 < row["TTFT p50 ms"] <= row["TTFT p99 ms"]


def test_bench_raises_the_limit_of_sessions_for_as_many_characters() -> None:
    bench = run("bench", "--npcs", "260", "--turns", "1", "--new-tokens", "1")
    assert bench.returncode == 0, bench.stderr
    assert json.loads(bench.stdout.splitlines()[-1])["rows"][0]["NPCs"] == 260


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("serve", "--port", "70000"), "--port"),
        (("serve", "--kv-memory-mib", "much"), "--kv-memory-mib"),
        (("serve", "--host", "0.0.0.0"), "auth_token"),
        (("bench", "--npcs", "0"), "--npcs"),
        (("bench", "--shape", "gpt-7"), "llama-160m"),
    ],
)
def test_a_bad_option_is_named(arguments: tuple[str, ...], named: str) -> None:
    refused = run(*arguments)
    assert refused.returncode != 0
    assert named in refused.stderr
