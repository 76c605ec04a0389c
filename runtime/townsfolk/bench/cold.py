"""How long it takes from a started process to a first word, part by part."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.report import Row
from townsfolk.bench.scene import Scene
from townsfolk.bench.service_stage import ServiceStage
from townsfolk.bench.subject import START_TIMEOUT_S, Subject
from townsfolk.client import RuntimeProcess

# What the runtime logs when a part is done, and what the part is called.
MILESTONES = {
    "starting": "imports",
    "listening": "server up",
    "weights loaded": "weights loaded",
    "serving": "ready",
}
_REQUESTS = 64
_FIRST = Scene(npcs=1, turns=2, lore=0, thinking_s=0.0)


def cold(subject: Subject) -> list[Row]:
    """Start a runtime and speak to it; return the seconds from its start to each milestone.

    On a GPU twice: with an empty Triton cache, as on a machine that never ran this, then with the
    one that the first start has filled. The weights are in the system's file cache: they have
    just been written or read.
    """
    arguments = [*subject.serve_arguments(_REQUESTS, _REQUESTS * 1024), "--log-format", "json"]
    if subject.device.type == "cpu":
        return [_start(arguments, "none")]
    with tempfile.TemporaryDirectory(prefix="townsfolk-bench-") as folder, _triton_cache(folder):
        return [_start(arguments, "empty"), _start(arguments, "filled")]


def _start(arguments: Sequence[str], cache: str) -> Row:
    runtime = RuntimeProcess(arguments, timeout_s=START_TIMEOUT_S)
    begin = datetime.now().timestamp()
    stage = ServiceStage(runtime, runtime.start())
    try:
        first, second = stage.play(_FIRST)
        if cache == "empty":
            # Whatever is compiled only when it is needed is in the cache after this.
            stage.play(Scene(npcs=_REQUESTS, turns=1, thinking_s=0.0))
        reached = milestones(runtime.log())
    finally:
        stage.close()
    since = {f"{name} s": reached[name] - begin for name in reached}
    return {
        "Triton cache": cache,
        **since,
        "ready after weights s": reached["ready"] - reached["weights loaded"],
        "first token s": reached["ready"] - begin + first.first_token_s,
        "first TTFT ms": 1000 * first.first_token_s,
        "second TTFT ms": 1000 * second.first_token_s,
    }


def milestones(log: Sequence[str]) -> dict[str, float]:
    """When each milestone was reached, by its name, as seconds since the epoch."""
    reached: dict[str, float] = {}
    for line in log:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # another library's
        name = MILESTONES.get(entry.get("message"))
        if name is not None and name not in reached:
            reached[name] = datetime.fromisoformat(entry["time"]).timestamp()
    missing = set(MILESTONES.values()) - set(reached)
    if missing:
        raise MeasurementError(
            f"the runtime did not log when it was done with: {', '.join(missing)}"
        )
    return {name: reached[name] for name in MILESTONES.values()}


@contextmanager
def _triton_cache(folder: str) -> Iterator[None]:
    """Let the processes started meanwhile keep their compiled kernels in a folder."""
    name = "TRITON_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
