"""Standard input as UTF-8 text, or a clear word."""

from __future__ import annotations

import sys

from townsfolk.text.utf8 import CONVERT_HINT


def read_input() -> str:
    """Return all of standard input.

    Raises:
        ValueError: It is not UTF-8 text.
    """
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input is not UTF-8 text; {CONVERT_HINT}") from error


def keep_bad_bytes() -> None:
    """Have lines come one by one, also those that are not UTF-8, which `is_text` finds."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="surrogateescape")


def is_text(line: str) -> bool:
    """Return whether a line or an argument was UTF-8."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
