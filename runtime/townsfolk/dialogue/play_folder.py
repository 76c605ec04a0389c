"""Where conversations are kept that were played."""

from __future__ import annotations

import json
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from townsfolk.dialogue.play import Played

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
SUFFIX = ".json"
"""Of the files."""


class PlayFolder:
    """A folder with a file for each conversation, for this user's eyes only. Any thread may write.

    What is in it is never deleted here: at its limit nothing is added.
    """

    def __init__(self, folder: Path, most_mib: int) -> None:
        """Take a folder; `prepare` makes it."""
        self._folder = folder
        self._most = most_mib * MIB
        self._is_full = False

    def prepare(self) -> None:
        """Make the folder, and look whether it can be written to.

        Raises:
            OSError: It can't.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(".probe", b"").unlink()

    def keep(self, played: Played) -> None:
        """Write a conversation, unless nothing was said in it or there is no room.

        What goes wrong is logged: no game fails for it.
        """
        if not played.has_spoken:
            return
        try:
            text = json.dumps(played.to_json(), ensure_ascii=False, indent=1) + "\n"
            data = text.encode("utf-8", "backslashreplace")
            if self._size() + len(data) > self._most:
                self._refuse()
                return
            self._is_full = False
            self._write(secrets.token_hex(12) + SUFFIX, data)
        except OSError as error:
            logger.warning("a conversation was not recorded in %s: %s", self._folder, error)

    def _refuse(self) -> None:
        if not self._is_full:
            logger.warning(
                "no more conversations are recorded: %s has reached %d MiB, its limit "
                "(record_play_mib); move files away",
                self._folder,
                self._most // MIB,
            )
        self._is_full = True

    def _size(self) -> int:
        """The bytes of all files: others may write here, too."""
        size = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    size += entry.stat(follow_symlinks=False).st_size
        return size

    def _write(self, name: str, data: bytes) -> Path:
        """Write a file that is whole from the moment on that it has its name."""
        path = self._folder / name
        draft = path.with_name(f".{secrets.token_hex(8)}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                file.write(data)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return path
