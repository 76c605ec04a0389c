"""Runs a chat template where it can do no harm: in a process of its own, with limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, BinaryIO, cast

from townsfolk.installation import RENDER_TEMPLATE, is_frozen
from townsfolk.text import template

# Conversations to try on a template: some have no system role, some want the user first.
_SAMPLES = (
    ("system", "user", "assistant", "user"),
    ("user", "assistant", "user"),
    ("user",),
)
_CONTENT = "\ue000"  # of a message; in no vocabulary
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class RenderingError(Exception):
    """The template could not be rendered; the message says why."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again
        """Whether it could go well another time, as only the machine was slow."""


@dataclass(frozen=True, slots=True)
class RenderingLimits:
    """What a single rendering may take."""

    cpu_s: float = 2.0
    """Processor time, in whole seconds from 1, where the system counts it."""
    wall_s: float = 10.0
    """Time on the clock."""
    memory_mib: int = 256
    """Memory beyond what the interpreter takes, where the system limits it."""
    most_characters: int = 8 * template.MIB
    """Of the rendered text."""


class TemplateRenderer:
    """Renders one template, in a process that is killed when it takes too much.

    The process starts with the first rendering, which takes about a tenth of a second, and lives
    as long as the renderer; then a rendering takes a fraction of a millisecond. One that was killed
    is started again. All methods may be called by any thread; one rendering is under way at a time.
    """

    def __init__(
        self,
        source: str,
        variables: Mapping[str, str],
        limits: RenderingLimits | None = None,
    ) -> None:
        """Take the template and the variables of all its renderings; nothing is started yet."""
        self._source = source
        self._variables = dict(variables)
        self._limits = limits or RenderingLimits()
        self._now = datetime.now()
        self._lock = threading.Lock()
        self._process: _Process | None = None

    def render(
        self,
        messages: Sequence[Mapping[str, object]],
        *,
        add_generation_prompt: bool,
        tools: Sequence[object] | None = None,
        **variables: str | bool,
    ) -> str:
        """Return the rendered text.

        Raises:
            RenderingError: The template is faulty, refuses the messages, or takes too much.
        """
        request = {
            **self._variables,
            **variables,
            "messages": list(messages),
            "add_generation_prompt": add_generation_prompt,
            "tools": tools,
            "documents": None,
        }
        with self._lock:
            if self._process is None or self._process.has_ended:
                self._process = self._start()
            answer = self._process.ask(request)
        if "error" in answer:
            raise RenderingError(answer["error"])
        return str(answer["text"])

    def written(self, texts: Iterable[str]) -> frozenset[str]:
        """Return which of `texts` the template writes around the messages of a conversation.

        What only stands in the source, in a comparison, a comment or a branch for tools, is not
        written. A template that fails to render writes nothing.
        """
        for roles in _SAMPLES:
            messages = [{"role": role, "content": _CONTENT} for role in roles]
            try:
                rendered = self.render(messages, add_generation_prompt=True)
            except RenderingError:
                continue
            return frozenset(text for text in texts if text in rendered)
        return frozenset()

    def close(self) -> None:
        """End the process; a further rendering would start another."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _start(self) -> _Process:
        limits = self._limits
        setup = {
            "source": self._source,
            "now": self._now.isoformat(),
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_s,
            "memory_mib": limits.memory_mib,
            "most_characters": limits.most_characters,
        }
        return _Process(setup, limits)


class _Process:
    """The process of a renderer, as seen from this one."""

    def __init__(self, setup: Mapping[str, Any], limits: RenderingLimits) -> None:
        self._limits = limits
        self._popen = subprocess.Popen(
            _command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Secrets of the runtime, such as its token, are none of a template's business.
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._end = weakref.finalize(self, _end, self._popen)
        self._is_late = False
        self._send(setup)

    @property
    def has_ended(self) -> bool:
        """Whether there must be another."""
        return self._popen.poll() is not None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            RenderingError: There is none.
        """
        timer = threading.Timer(self._limits.wall_s, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            self._send(request)
            most = 12 * self._limits.most_characters  # as JSON writes the widest
            answer = template.read_message(cast(BinaryIO, self._popen.stdout), most)
        finally:
            timer.cancel()
        if answer is None:
            self.kill()
            raise self._failure()
        parsed: dict[str, Any] = json.loads(answer)
        if parsed.get("is_last"):
            self.kill()
        return parsed

    def kill(self) -> None:
        """End it."""
        self._end()

    def _give_up(self) -> None:
        self._is_late = True
        self._popen.kill()

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            template.write_message(cast(BinaryIO, self._popen.stdin), message)
        except OSError:  # it has ended: the answer will be missing too
            return

    def _failure(self) -> RenderingError:
        limits = self._limits
        if self._is_late:
            return RenderingError(f"takes longer than {limits.wall_s:g} s", again=True)
        if self._popen.returncode == -getattr(signal, "SIGXCPU", 0):
            return RenderingError(f"takes more than {limits.cpu_s:g} s of processor time")
        return RenderingError(
            f"its process ended with status {self._popen.returncode}, as if it took more than "
            f"{limits.memory_mib} MiB"
        )


def _command() -> list[str]:
    """Return the command line of the process."""
    if is_frozen():
        return [sys.executable, RENDER_TEMPLATE]
    return [sys.executable, "-P", "-X", "utf8", template.__file__]


def _end(popen: subprocess.Popen[bytes]) -> None:
    """Kill a process and close its pipes."""
    popen.kill()
    popen.wait()
    for pipe in (popen.stdin, popen.stdout):
        _close(pipe)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is None:
        return
    try:
        pipe.close()
    except OSError:  # what was not sent yet can't be any more
        return
