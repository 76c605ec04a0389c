"""Text files that people write: UTF-8, or a clear word."""

from __future__ import annotations

from pathlib import Path

CONVERT_HINT = "it can be converted: iconv -f latin1 -t utf-8"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ValueError: It can't be read, or is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at {error.start}); "
            f"{CONVERT_HINT}"
        ) from error
