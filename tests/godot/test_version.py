"""The add-on and runtimes of other versions: real processes, told to be of another."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from godot_engine import events
from townsfolk import contract
from townsfolk.client import RuntimeProcess

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests/support"
CASES = json.loads((SUPPORT / "contract_cases.json").read_text("utf-8"))


@contextmanager
def other(version: str, folder: Path, *flags: str) -> Iterator[tuple[str, str]]:
    """A runtime of another version of the contract; yield its address and token."""
    script = folder / "lines.toml"
    script.write_text('[[lines]]\nsays = "Well met."\n')
    command = [sys.executable, str(SUPPORT / "other_version.py"), version]
    with RuntimeProcess(["--model", str(script), *flags], command=command) as process:
        endpoint = process.start()
        yield endpoint.address, endpoint.token


def meet(godot, version: str, folder: Path):
    """Whether the add-on becomes ready, what it says, and what comes of a line."""
    with other(version, folder) as (address, token):
        output = godot.run(
            "res://drivers/main.tscn", "--", "version", "meet", address, token, check=False
        )
    told = {event["event"]: event for event in events(output)}
    return told["met"], told["turn"], output


def test_the_table_of_all_clients(godot):
    names = [f"{case['client']}-{case['runtime']}" for case in CASES]
    events = godot.drive("version", "table", *names)
    assert events == [
        {"event": name, "works": case["works"], "upgrade": case["upgrade"]}
        for name, case in zip(names, CASES, strict=True)
    ]


def test_a_runtime_of_a_newer_minor_version_serves(godot, tmp_path):
    met, turn, output = meet(godot, f"1.{contract.OWN.minor + 1}", tmp_path)
    assert met["ready"]
    assert turn["text"] == "Well met."
    assert "upgrade" not in output


def test_an_older_runtime_serves_with_a_warning_that_says_what_to_upgrade(godot, tmp_path):
    met, turn, output = meet(godot, "none", tmp_path)
    assert met["ready"]
    assert turn["text"] == "Well met."
    assert re.search(r"WARNING.*runtime 0\.0\.1 \(contract 1\.0\).*upgrade the runtime", output)


def test_a_runtime_of_another_major_version_is_refused_with_what_to_do(godot, tmp_path):
    """By its own word: it looks at the version of each call."""
    met, turn, output = meet(godot, "2.0", tmp_path)
    assert not met["ready"]
    assert "upgrade the client" in met["message"]
    assert "upgrade the client" in turn["error"]
    assert re.search(r"WARNING.*upgrade the client", output)


def test_the_add_on_refuses_by_itself_too(godot, tmp_path):
    """Where the runtime looks at no version: the add-on does."""
    met, turn, _ = meet(godot, "mute:2.0", tmp_path)
    assert not met["ready"]
    assert "upgrade the add-on" in met["message"]
    assert "upgrade the add-on" in turn["error"]
