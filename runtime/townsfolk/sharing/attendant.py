"""The process that a game starts with `--share`: it holds the game's lease for as long as that."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from townsfolk.service import logs
from townsfolk.service.lifetime import Lifetime
from townsfolk.service.ready_file import ReadyFile
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError
from townsfolk.sharing import lease
from townsfolk.sharing.finding import take_lease
from townsfolk.sharing.host_files import HostFiles

logger = logging.getLogger(__name__)

# What a host gets to end a game's answers in, beyond their grace.
_END_S = 10.0
_LAST_LINES_S = 2.0


def attend(files: HostFiles, command: Sequence[str], settings: ServiceSettings) -> int:
    """Have a part in the shared runtime until ended; return the exit status.

    It is 0 when this process was asked to end, and 1 when there was no runtime or it ended.

    Args:
        files: Those of the shared runtime.
        command: What starts it.
        settings: Of the service, for this game.
    """
    log = logs.configure(settings.log_format, settings.log_level)
    try:
        return asyncio.run(_Attendant(files, settings).run(command))
    except StartError as error:
        logger.error("%s", error)
        return 1
    finally:
        log.drain(_LAST_LINES_S)


class _Attendant:
    def __init__(self, files: HostFiles, settings: ServiceSettings) -> None:
        self._files = files
        self._settings = settings
        self._ready_file = ReadyFile(settings.ready_file)
        self._gone = asyncio.Event()
        self._why = ""

    async def run(self, command: Sequence[str]) -> int:
        settings = self._settings
        lifetime = Lifetime(self._ready_file.remove)
        lifetime.on_signals()
        if settings.exit_with_parent is not None:
            lifetime.with_parent(settings.exit_with_parent)
        if settings.exit_with_stdin:
            lifetime.with_stdin()
        self._ready_file.check()
        connection = await self._lease(command, lifetime)
        if connection is None:
            return 0
        reader, writer = await asyncio.open_connection(sock=connection, limit=lease.LINE_LIMIT)
        with ExitStack() as there:
            listening = asyncio.create_task(self._listen(reader, there))
            try:
                await _first(lifetime.ended, self._gone)
                if lifetime.ended.is_set():
                    lifetime.end_hard_after(settings.shutdown_grace_s + _END_S)
                    writer.write(lease.line(end=lifetime.reason))
                    await _first(lifetime.hurried, self._gone)
                    return 0
            finally:
                listening.cancel()
                writer.close()
        raise StartError(self._why or f"the shared runtime has ended. {self._files.log_tail()}")

    async def _lease(self, command: Sequence[str], lifetime: Lifetime) -> socket.socket | None:
        stop = threading.Event()
        told = lease.settings_told(self._settings)
        taking = asyncio.create_task(
            asyncio.to_thread(take_lease, self._files, command, told, stop)
        )
        ended = asyncio.create_task(lifetime.ended.wait())
        await asyncio.wait({taking, ended}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        ended.cancel()
        return await taking

    async def _listen(self, reader: asyncio.StreamReader, there: ExitStack) -> None:
        """Hand on what the host tells."""
        try:
            while data := await reader.readline():
                self._take(json.loads(data), there)
        except (OSError, ValueError) as error:
            self._why = f"the shared runtime can't be understood: {error}"
        except StartError as error:
            self._why = str(error)
        finally:
            self._gone.set()

    def _take(self, message: dict[str, Any], there: ExitStack) -> None:
        if lease.LOG in message:
            sys.stderr.write(f"{message[lease.LOG]}\n")
        elif lease.READY in message:
            # The game's own process is this one.
            ready = {**message[lease.READY], "pid": os.getpid()}
            there.enter_context(self._ready_file.there(ready))
        elif lease.ENDED in message:
            self._why = str(message[lease.ENDED])


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
