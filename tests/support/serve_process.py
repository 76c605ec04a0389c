"""`townsfolk serve` as a child process with any flags."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub
from warm_process import Townsfolk

ENDS_WITHIN_S = 300


class Serve:
    """A `townsfolk serve` child with the random model.

    `prelude` is Python that the child runs before anything else.
    """

    def __init__(self, model: Path, *flags: str, prelude: str = "", **options) -> None:
        options |= {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
        self.process = Townsfolk("serve", "--model", str(model), *flags, prelude=prelude, **options)

    def read_log(self) -> Callable[[], str]:
        """Read the log as it comes; return what returns all that has come."""
        lines: list[str] = []
        threading.Thread(target=lines.extend, args=(self.process.stderr,), daemon=True).start()
        return lambda: "".join(lines)

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit status and log."""
        _, log = self.process.communicate(timeout=ENDS_WITHIN_S)
        return self.process.returncode, log


@contextmanager
def serve(model: Path, tmp_path: Path, *flags: str, **options) -> Iterator[tuple[Serve, dict]]:
    """A child that serves, and its ready file's content."""
    file = tmp_path / "ready.json"
    child = Serve(model, "--port", "0", "--ready-file", str(file), *flags, **options)
    try:
        deadline = time.monotonic() + ENDS_WITHIN_S
        while not file.exists():
            assert child.process.poll() is None, child.ended()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield child, json.loads(file.read_text())
    finally:
        child.process.kill()
        child.process.communicate()


@contextmanager
def stub_of(ready: dict) -> Iterator[tuple[TownsfolkServiceStub, tuple]]:
    with grpc.insecure_channel(f"{ready['address']}:{ready['port']}") as channel:
        yield TownsfolkServiceStub(channel), (("authorization", f"Bearer {ready['token']}"),)
