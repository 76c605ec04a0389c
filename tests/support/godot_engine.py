"""A real Godot, headless, with the add-on in a project of its own: for tests/godot."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fresh_home import make_home

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests/godot"
# What must never be in the log of a run that went well.
BAD_LINES = re.compile(
    r"SCRIPT ERROR|SCRIPT WARNING|Parse Error|^ERROR|^WARNING|leaked|Leaked|resources still in use",
    re.MULTILINE,
)


def find_godot() -> str | None:
    """Return the engine's path, from TOWNSFOLK_GODOT or PATH."""
    return os.environ.get("TOWNSFOLK_GODOT") or shutil.which("godot")


class Godot:
    """Runs the engine on one project; every run gets a fresh HOME."""

    def __init__(self, executable: str, project: Path, scratch: Path) -> None:
        self.executable, self.project, self.scratch = executable, project, scratch

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a headless run."""
        return [self.executable, "--headless", "--path", str(self.project), *arguments]

    def environment(self) -> dict[str, str]:
        """Return an environment with a new HOME, in which Godot has nothing."""
        home = make_home(self.scratch / f"home-{len(list(self.scratch.iterdir()))}")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return {**kept, "HOME": str(home)}

    def run(
        self, *arguments: str, timeout: float = 300, check: bool = True, **environment: str
    ) -> str:
        """Run the engine to its end; return its output. With check, no error may be in it."""
        done = subprocess.run(
            ["timeout", "--kill-after=5", str(timeout), *self.command(*arguments)],
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if check:
            assert done.returncode == 0, f"exit status {done.returncode}:\n{done.stdout}"
            assert not problems(done.stdout), problems(done.stdout)
        return done.stdout

    def drive(
        self, driver: str, scenario: str, *arguments: str, timeout: float = 300, check: bool = True
    ) -> list[dict[str, Any]]:
        """Run one scenario of a driver; return the events that it reported, in order."""
        scene = "res://drivers/main.tscn"
        return events(
            self.run(scene, "--", driver, scenario, *arguments, timeout=timeout, check=check)
        )

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start the engine and leave it running; it is killed at the end."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def is_alive(pid: int) -> bool:
    """Return whether a process runs, and is no remnant that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    while is_alive(pid):  # the test's time limit ends it otherwise
        time.sleep(0.05)


def events(output: str) -> list[dict[str, Any]]:
    """Return what a driver reported: the JSON objects on lines that begin with @@."""
    lines = [line[2:] for line in output.split("\n") if line.startswith("@@")]
    return [decoded(json.loads(line)) for line in lines]


def decoded(value: Any) -> Any:
    """Undo the percent-encoding of driver.gd in all strings."""
    if isinstance(value, str):
        return unquote(value)
    if isinstance(value, list):
        return [decoded(element) for element in value]
    if isinstance(value, dict):
        return {key: decoded(element) for key, element in value.items()}
    return value


def problems(output: str) -> str:
    """Return the errors and warnings in the engine's output, with the lines that explain them."""
    lines = output.splitlines()
    found = (lines[i : i + 6] for i, line in enumerate(lines) if BAD_LINES.search(line))
    return "\n".join("\n".join(part) for part in found)


class Oracle:
    """A Godot that answers questions; see project/drivers/oracle.gd."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def ask(self, op: str, **question: Any) -> dict[str, Any]:
        """Ask one question."""
        body = json.dumps({"op": op, **question}).encode()
        self._connection.sendall(struct.pack("<I", len(body)) + body)
        (length,) = struct.unpack("<I", self._read(4))
        return json.loads(self._read(length))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            assert piece, "the oracle has ended; see the captured output"
            data += piece
        return data


def generate_test_messages(target: Path) -> None:
    """Generate GDScript and Python for everything.proto below target."""
    target.mkdir()
    interpreter = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{TESTS / 'proto'}",
            f"--plugin=protoc-gen-gdscript={ROOT / 'proto/protoc_gen_gdscript.py'}",
            f"--gdscript_out={target}",
            "--gdscript_opt=addon=res://addons/townsfolk",
            f"--python_out={target}",
            "everything.proto",
        ],
        env={**os.environ, "PATH": f"{interpreter}{os.pathsep}{os.environ['PATH']}"},
        check=True,
    )


def make_project(executable: str, folder: Path) -> Godot:
    """Make the test project in a folder, with the add-on and all resources imported."""
    project, homes = folder / "project", folder / "homes"
    homes.mkdir()
    shutil.copytree(TESTS / "project", project)
    shutil.copytree(ROOT / "plugins/godot/addons", project / "addons", dirs_exist_ok=True)
    generate_test_messages(project / "generated_for_tests")
    engine = Godot(executable, project, homes)
    engine.run("--import")
    return engine
