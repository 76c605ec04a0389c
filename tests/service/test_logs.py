"""Log lines that people and machines can read."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from townsfolk.service import logs
from townsfolk.service.logs import ForeignLines, JsonFormatter, TextFormatter


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


def foreign(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": message, "args": args, "levelno": 40})


def test_of_another_librarys_lines_one_of_a_kind_passes_a_second(monkeypatch):
    now = 100.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    lines = ForeignLines()
    passed = [lines.filter(foreign("asyncio", f"accept failed\nsocket: {n}")) for n in range(50)]
    assert passed == [True, *[False] * 49]
    assert lines.filter(foreign("asyncio", "another kind"))
    assert lines.filter(foreign("grpc", "accept failed"))
    assert all(lines.filter(foreign("townsfolk.service", "call failed")) for _ in range(9))
    now += logs.REPEAT_S
    again = foreign("asyncio", "accept failed\nsocket: 50")
    assert lines.filter(again)
    assert TextFormatter().format(again).endswith("left_out=49")


def test_metadata_is_not_logged():
    line = foreign("grpc._cython.cygrpc", "Invalid encoding on %s", b"Bearer s3cret\xff")
    assert ForeignLines().filter(line)
    assert "s3cret" not in TextFormatter().format(line)


def test_uvicorns_advice_to_install_more_is_not_logged():
    configured = (
        "import logging; from townsfolk.service import logs; log = logs.configure('text', 'info');"
        "logging.getLogger('uvicorn.error').warning('No supported WebSocket library detected.');"
        "logging.getLogger('uvicorn.error').error('an error');"
        "log.drain(60)"
    )
    done = subprocess.run(
        [sys.executable, "-c", configured], capture_output=True, text=True, check=True
    )
    assert "WebSocket" not in done.stderr
    assert "an error" in done.stderr
