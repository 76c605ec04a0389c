"""The sample of speech and stage directions, as its reader runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "samples/python/speech.py"
SCRIPT = """
[[lines]]
says = ["*wipes his hands* Aye, lad. It is an old blade.", "He fell. *looks away* At the ford."]
"""


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SAMPLE), *arguments],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_voice_speaks_and_an_animation_plays(tmp_path):
    script = tmp_path / "smithy.toml"
    script.write_text(SCRIPT, encoding="utf-8")
    first, second = run("--model", str(script)).split("> ")[1:]
    assert first.splitlines()[1:] == [
        "  animation: wipes his hands",
        "  voice:     Aye, lad.",
        "  voice:     It is an old blade.",
        "  remembers: Aye, lad. It is an old blade.",
    ]
    lines = second.splitlines()
    assert [line for line in lines if "voice" in line] == ["  voice:     He fell."]
    assert lines[-1] == "  remembers: He fell."


def test_the_starter_model_speaks():
    assert "voice:" in run()
