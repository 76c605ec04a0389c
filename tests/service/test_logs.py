"""Log lines that people and machines can read."""

from __future__ import annotations

import json
import logging
import sys

from townsfolk.service.logs import JsonFormatter, TextFormatter


def record(error: Exception | None = None, **fields) -> logging.LogRecord:
    logger = logging.getLogger("townsfolk.service.test")
    info = (type(error), error, error.__traceback__) if error else None
    return logger.makeRecord(
        logger.name, logging.WARNING, "file.py", 1, "call %s", ("ended",), info, extra=fields
    )


def test_json_has_all_in_one_line():
    line = JsonFormatter().format(record(method="Say", seconds=0.5, name_of="naïve\n"))
    assert "\n" not in line
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "warning",
        "logger": "townsfolk.service.test",
        "message": "call ended",
        "method": "Say",
        "seconds": 0.5,
        "name_of": "naïve\n",
    }


def test_json_carries_the_traceback():
    try:
        raise ValueError("broken")
    except ValueError as error:
        line = JsonFormatter().format(record(error))
    assert "ValueError: broken" in json.loads(line)["traceback"]


def test_text_ends_with_the_fields():
    line = TextFormatter().format(record(method="Say", code="OK"))
    assert line.endswith("WARNING townsfolk.service.test: call ended method=Say code=OK")


def test_what_python_adds_to_records_is_no_field():
    plain = json.loads(JsonFormatter().format(record()))
    assert set(plain) == {"time", "level", "logger", "message"}, sys.version
