"""The shared runtime: one engine, and a server for each game that holds a lease."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import sys
import threading
from collections import deque
from contextlib import ExitStack, suppress
from typing import Any, Literal

from townsfolk.engine.errors import EngineError
from townsfolk.engine.interface import TextEngine
from townsfolk.engine.share import EngineShare, SharedEngine
from townsfolk.service import interpreter, logs
from townsfolk.service.gate import Backend
from townsfolk.service.lifetime import Lifetime
from townsfolk.service.process import (
    END_S,
    LAST_LINES_S,
    Load,
    backend_of,
    first,
    loaded,
    watched_weights,
)
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError
from townsfolk.sharing import lease
from townsfolk.sharing.host_files import HostAddress, HostFiles

logger = logging.getLogger(__name__)

# How long whoever started this process may take to have the first lease.
_FIRST_LEASE_S = 60.0
_HELLO_S = 30.0
# Log lines of the start that are told to whoever comes later.
_LINES_KEPT = 200
# What may wait for an attendant that does not read, in bytes; more log lines are left out.
_UNREAD = 1 << 18


def host(
    files: HostFiles,
    load: Load,
    log_format: Literal["text", "json"] = "text",
    log_level: str = "info",
) -> int:
    """Serve whoever takes a lease, until nobody has one; return the exit status.

    Args:
        files: By which it is found.
        load: Makes the engine, in a thread.
        log_format: How lines look that are told to the games.
        log_level: The least important ones.
    """
    log = _LeaseLog()
    writer = logs.configure(log_format, log_level, log)
    try:
        return asyncio.run(_Hosting(files, log).run(load))
    except StartError:
        return 1  # those who have a lease were told
    except Exception:
        logging.getLogger().addHandler(logging.StreamHandler(writer))
        logger.exception("the shared runtime failed")
        return 1
    finally:
        writer.drain(LAST_LINES_S)


class _Lease:
    """A game's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended = asyncio.Event()
        """Set when the game wants no more, or its attendant is gone."""
        self.hurried = asyncio.Event()
        """Set when nobody waits for its answers."""
        self._reader = reader
        self._writer = writer

    def tell(self, **message: Any) -> None:
        """Send a message; nothing happens when nobody is there."""
        if not self._writer.is_closing():
            self._writer.write(lease.line(**message))

    def tell_line(self, text: str) -> None:
        """Send a line of the log, unless too many were not read."""
        if self._writer.transport.get_write_buffer_size() < _UNREAD:
            self.tell(log=text)

    async def introduced(self, token: str) -> ServiceSettings | None:
        """Return what the game wants of the service; None if it is none of ours."""
        hello = await self._receive()
        challenge = lease.challenge()
        self.tell(proof=lease.proof(token, hello.get(lease.HELLO), "host"), challenge=challenge)
        answer = await self._receive()
        if not lease.is_proof(answer.get(lease.PROOF), token, challenge, "attendant"):
            return None
        return ServiceSettings.model_validate(answer.get(lease.SETTINGS))

    async def watch(self) -> None:
        """Set the events when what they are for has come."""
        with suppress(OSError, ValueError):
            while lease.END not in await self._receive():
                pass
            self.ended.set()
            await self._reader.read()
        self.ended.set()
        self.hurried.set()

    async def close(self) -> None:
        """End it; what was told arrives."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _receive(self) -> dict[str, Any]:
        data = await self._reader.readline()
        if not data:
            raise ConnectionError("the attendant is gone")
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("no message")
        return message


class _LeaseLog(logging.Handler):
    """Tells all who hold a lease what is logged, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: set[_Lease] = set()
        self.early: deque[str] = deque(maxlen=_LINES_KEPT)
        """Lines of the start, for those who come later."""
        self.is_starting = True
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Take the running loop, which the leases belong to."""
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a line."""
        text = self.format(record)
        with suppress(RuntimeError):  # the loop is closed
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._tell, text)

    def _tell(self, text: str) -> None:
        if self.is_starting:
            self.early.append(text)
        for each in self.leases:
            each.tell_line(text)


class _Hosting:
    """The process, from its start to the end of the last lease."""

    def __init__(self, files: HostFiles, log: _LeaseLog) -> None:
        self._files = files
        self._log = log
        self._token = secrets.token_urlsafe(32)
        self._loaded = asyncio.Event()
        self._over = asyncio.Event()
        self._why = ""
        self._status = 0
        self._grace_s = 0.0
        self._shared: SharedEngine | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, load: Load) -> int:
        self._log.begin()
        server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=lease.LINE_LIMIT, backlog=64
        )
        port = server.sockets[0].getsockname()[1]
        address = HostAddress(port, self._token, os.getpid())
        lifetime = Lifetime(lambda: self._files.withdraw(address))
        lifetime.on_signals()
        lifetime.watch_loop()
        logger.info("starting a shared runtime", extra={"pid": address.pid})
        asyncio.get_running_loop().call_later(_FIRST_LEASE_S, self._end_without_leases)
        ended = asyncio.create_task(self._end_with(lifetime))
        engine: TextEngine | None = None
        try:
            self._files.announce(address)
            with ExitStack() as alone:
                engine = await self._load(load, alone)
                if engine is not None:
                    interpreter.settle()
                    self._log.is_starting = False
                    self._shared = SharedEngine(engine)
                    self._loaded.set()
                    async with watched_weights(engine, self._fail):
                        await self._over.wait()
                server.close()
                self._files.withdraw(address)
                lifetime.end_hard_after(self._grace_s + END_S)
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if engine is not None:
                    await engine.aclose()
        finally:
            ended.cancel()
            server.close()
            self._files.withdraw(address)
        return self._status

    async def _load(self, load: Load, alone: ExitStack) -> TextEngine | None:
        """Load the model once the host before is gone."""
        stop = threading.Event()

        def load_alone() -> TextEngine:
            if not alone.enter_context(self._files.hosting(stop)):
                raise StartError("nobody wants the shared runtime any more")
            return load()

        try:
            return await loaded(load_alone, self._over)
        except StartError as error:
            self._fail(str(error))
            return None
        finally:
            stop.set()

    def _fail(self, reason: str) -> None:
        if not self._log.leases:  # who started this process reads it there
            print(reason, file=sys.stderr)
        self._status = 1
        self._end(reason)

    def _end(self, reason: str) -> None:
        self._why = self._why or reason
        self._over.set()

    def _end_without_leases(self) -> None:
        if not self._log.leases:
            self._end("no game uses the shared runtime")

    async def _end_with(self, lifetime: Lifetime) -> None:
        await lifetime.ended.wait()
        self._end(lifetime.reason)
        await lifetime.hurried.wait()
        for each in self._log.leases:
            each.hurried.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        taken = _Lease(reader, writer)
        try:
            async with asyncio.timeout(_HELLO_S):
                settings = await taken.introduced(self._token)
            if settings is not None and not self._over.is_set():
                await self._keep(taken, settings)
        except (OSError, ValueError, TimeoutError):
            pass  # no attendant, or it has left
        finally:
            self._tasks.discard(task)
            await taken.close()

    async def _keep(self, taken: _Lease, settings: ServiceSettings) -> None:
        """Serve a game for as long as its lease lasts."""
        self._log.leases.add(taken)
        self._grace_s = max(self._grace_s, settings.shutdown_grace_s)
        taken.tell(held=True)
        for text in self._log.early:
            taken.tell_line(text)
        watching = asyncio.create_task(taken.watch())
        reason = ""
        try:
            reason = await self._serve(taken, settings)
        except (StartError, EngineError) as error:
            reason = str(error)
        finally:
            watching.cancel()
            taken.tell(ended=reason or self._why)
            self._log.leases.discard(taken)
            self._end_without_leases()

    async def _serve(self, taken: _Lease, settings: ServiceSettings) -> str:
        """Serve a game; return why that came to an end, if not because of the whole runtime."""
        server = RuntimeServer(settings)
        share: EngineShare | None = None
        backend: Backend | None = None
        try:
            await server.start()
            await first(self._loaded, taken.ended, self._over)
            if self._shared is None or taken.ended.is_set():
                return ""
            share = await self._shared.join()
            backend = backend_of(share, settings)
            await server.open(backend)
            taken.tell(ready=server.ready())
            await first(taken.ended, server.failed, self._over)
            if self._status:
                taken.hurried.set()  # nothing more will come of answers
            return server.failure
        finally:
            await server.stop(taken.hurried)
            if backend is not None:
                await backend.aclose()
            elif share is not None:
                await share.aclose()
