"""Log lines on standard error: text for people, JSON for machines. What is said is never logged.

A log never holds the runtime up: lines are written by a thread of their own, and where nobody reads
them, the newest are dropped and counted.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import time
from contextlib import suppress
from typing import Literal

from townsfolk.service.patient_writer import PatientWriter

# What every LogRecord has; anything else on a record is a field given through `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


# How often one kind of line of another library may come, in seconds.
REPEAT_S = 1.0
# What gRPC logs of metadata that is no UTF-8, with its bytes: a token, perhaps.
_SECRET = "Invalid encoding on %s"

# So many kinds are remembered.
MAX_KINDS = 256


def configure(
    form: Literal["text", "json"], level: str, handler: logging.Handler | None = None
) -> PatientWriter:
    """Send all that is logged, or printed as an error, to standard error; return what writes it.

    Args:
        form: How lines look.
        level: From which level on the lines of `townsfolk` are written; of others, warnings are.
        handler: What log lines go to instead.
    """
    _log_crashes(sys.stderr.fileno())
    writer = PatientWriter(sys.stderr.fileno())
    handler = logging.StreamHandler(writer) if handler is None else handler
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(ForeignLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("townsfolk").setLevel(level.upper())
    # Below that, uvicorn tells of each request that is none, and what to install to take others.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    sys.stderr = writer
    return writer


def _log_crashes(descriptor: int) -> None:
    """Have a crash (a truncated file that was mapped, a fault of a library) say where it was.

    What says so must not wait for a reader either: it gets a way of its own to the same place,
    where the system has one.
    """
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        faulthandler.enable(os.open(f"/proc/self/fd/{descriptor}", flags))


class ForeignLines(logging.Filter):
    """Lets one line a second pass of each kind that another library logs, and no metadata."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written."""
        if record.name.partition(".")[0] == "townsfolk":
            return True
        text = str(record.msg)
        kind = (record.name, text.partition("\n")[0])
        until, left_out = self._kinds.get(kind, (0.0, 0))
        now = time.monotonic()
        if now < until:
            self._kinds[kind] = (until, left_out + 1)
            return False
        if len(self._kinds) > MAX_KINDS:
            self._kinds.clear()
        self._kinds[kind] = (now + REPEAT_S, 0)
        if text == _SECRET:
            record.msg, record.args = "metadata that is no UTF-8", ()
            record.exc_info = record.exc_text = None
        if left_out:
            record.left_out = left_out
        return True


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields that the caller gave through `extra=`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00.123 INFO townsfolk.service: serving port=50151`."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Append the fields to the message."""
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the fields, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
