"""A chat template as a program: how it is compiled, and the process that runs it.

The process is started by `TemplateRenderer` with this file as its script, so it imports nothing of
the package; in a bundle it is the bundle's program. It reads requests from its standard input, and
ends with it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import Any, BinaryIO, NoReturn

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MIB = 1024 * 1024
LENGTH = struct.Struct(">I")  # before each message: how many bytes it has


def compile_template(source: str, now: datetime) -> Template:
    """Return the template, ready to render in a sandbox, with the functions of Hugging Face's.

    Args:
        source: The template.
        now: The date that it is told. One for all its renderings, so that no prompt changes at
            midnight.

    Raises:
        TemplateError: The source is no template.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = now.strftime
    return environment.from_string(source)


def read_message(stream: BinaryIO, most: int) -> bytes | None:
    """Return the next message of a pipe; None at its end, or if it is longer than `most` bytes."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size or LENGTH.unpack(head)[0] > most:
        return None
    body = stream.read(LENGTH.unpack(head)[0])
    return body if len(body) == LENGTH.unpack(head)[0] else None


def write_message(stream: BinaryIO, value: Mapping[str, Any]) -> None:
    """Write a message into a pipe."""
    body = json.dumps(value).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request with a rendered text, or with what went wrong; the last one says so.

    The first message has the source, the date and the limits; each other one has the variables of
    a rendering.
    """
    first = read_message(requests, 64 * MIB)
    if first is None:
        return
    setup = json.loads(first)
    limits = _Limits(setup["cpu_s"], setup["wall_s"])
    limits.hold_memory(setup["memory_mib"])
    template: Template | None = None
    while (request := read_message(requests, 64 * MIB)) is not None:
        limits.begin()
        try:
            if template is None:
                template = compile_template(setup["source"], datetime.fromisoformat(setup["now"]))
            text = template.render(json.loads(request))
            if len(text) > setup["most_characters"]:
                raise TemplateError(f"writes more than {setup['most_characters']} characters")
            write_message(answers, {"text": text})
        except MemoryError:
            message = f"takes more than {setup['memory_mib']} MiB"
            write_message(answers, {"error": message, "is_last": True})
            return  # what is left of the memory may be in pieces
        except Exception as error:  # A template can raise anything: it is a program.
            write_message(answers, {"error": str(error) or type(error).__name__})
        limits.end()


class _Limits:
    """What a rendering may take. What exceeds the time ends this process, also without parent."""

    def __init__(self, cpu_s: float, wall_s: float) -> None:
        self._cpu_s = cpu_s
        self._wall_s = wall_s
        self._resource = _resource()
        self._timer: threading.Timer | None = None

    def hold_memory(self, mib: int) -> None:
        """Let the process have so much more memory than it has now, where the system can."""
        if self._resource is None:
            return
        with contextlib.suppress(OSError, ValueError):
            with open("/proc/self/statm", encoding="ascii") as file:
                now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            most = now + mib * MIB
            self._resource.setrlimit(self._resource.RLIMIT_AS, (most, most))

    def begin(self) -> None:
        """Begin a rendering."""
        if self._resource is None:
            self._timer = threading.Timer(self._wall_s, os._exit, [1])
            self._timer.daemon = True
            self._timer.start()
            return
        used = self._resource.getrusage(self._resource.RUSAGE_SELF)
        seconds = math.ceil(used.ru_utime + used.ru_stime + self._cpu_s)
        _, most = self._resource.getrlimit(self._resource.RLIMIT_CPU)
        self._resource.setrlimit(self._resource.RLIMIT_CPU, (seconds, most))

    def end(self) -> None:
        """End it."""
        if self._timer is not None:
            self._timer.cancel()


def _resource() -> ModuleType | None:
    """Return the module that limits a process; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource


class _GenerationBlock(Extension):
    """`{% generation %}`: marks replies for training; here it shows what is inside."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def main() -> None:
    """Be the process that `TemplateRenderer` starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runtime, which ends this one
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
