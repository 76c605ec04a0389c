"""A whole runtime process: from its settings to its exit status."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.engine.interface import TextEngine
from townsfolk.service import interpreter, logs
from townsfolk.service.gate import Backend
from townsfolk.service.lifetime import Lifetime
from townsfolk.service.patient_writer import PatientWriter
from townsfolk.service.ready_file import ReadyFile
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError

logger = logging.getLogger(__name__)

# What an orderly end may take beyond the grace for answers before the process is killed.
END_S = 10.0

# How often the files of the weights are looked at.
WEIGHTS_S = 3.0
# How long the last lines of the log may take to be written.
LAST_LINES_S = 2.0

Load = Callable[[], TextEngine]
"""Makes the engine, in a thread; raises StartError where it can't."""


def run(settings: ServiceSettings, load: Load) -> int:
    """Serve until ended; return the exit status: 0, or 1 if it could not start or go on.

    Args:
        settings: Of the service.
        load: Makes the engine, in a thread.
    """
    log = logs.configure(settings.log_format, settings.log_level)
    logger.info("starting")
    try:
        return asyncio.run(_run(settings, load, log))
    except StartError as error:
        logger.error("%s", error)
        return 1
    finally:
        log.drain(LAST_LINES_S)


async def _run(settings: ServiceSettings, load: Load, log: PatientWriter) -> int:
    ready_file = ReadyFile(settings.ready_file)

    def last_act() -> None:
        ready_file.remove()
        log.drain(LAST_LINES_S)

    lifetime = Lifetime(last_act)
    lifetime.on_signals()
    lifetime.watch_loop()
    if settings.exit_with_parent is not None:
        lifetime.with_parent(settings.exit_with_parent)
    if settings.exit_with_stdin:
        lifetime.with_stdin()
    ready_file.check()
    server = RuntimeServer(settings)
    engine, backend = None, None
    try:
        await server.start()
        where = {name: value for name, value in server.ports().items() if value is not None}
        logger.info("listening", extra={"host": settings.host, **where})
        engine = await loaded(load, lifetime.ended)
        if engine is not None:
            backend = backend_of(engine, settings)
            interpreter.settle()
            await server.open(backend)
            with ready_file.there({**server.ready(), "pid": os.getpid()}):
                logger.info("serving", extra={"host": settings.host, **where})
                async with watched_weights(engine, server.fail):
                    await first(lifetime.ended, server.failed)
                if server.failed.is_set():
                    lifetime.end(server.failure)
                    lifetime.end(server.failure)  # hurried: nothing more will come of answers
        return 1 if server.failed.is_set() else 0
    finally:
        if lifetime.reason:
            logger.info("ending", extra={"reason": lifetime.reason})
        lifetime.end_hard_after(settings.shutdown_grace_s + END_S)
        await server.stop(lifetime.hurried)
        if backend is not None:
            await backend.aclose()
        elif engine is not None:
            await engine.aclose()


@asynccontextmanager
async def watched_weights(engine: TextEngine, fail: Callable[[str], None]) -> AsyncIterator[None]:
    """Have a runtime fail when the files of the weights are overwritten while they are in use."""
    files = engine.weight_files

    async def watch() -> None:
        while files is not None:
            await asyncio.sleep(WEIGHTS_S)
            if (path := await asyncio.to_thread(files.changed)) is not None:
                fail(f"{path} was overwritten while its weights were in use")
                return

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def loaded(load: Load, ended: asyncio.Event) -> TextEngine | None:
    """Load the model; return None when the end comes first.

    Raises:
        StartError: It can't be used.
    """
    loading = asyncio.create_task(asyncio.to_thread(load))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({loading, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not loading.done():
        return None
    try:
        return await loading
    except StartError:
        raise
    except Exception as error:
        logger.exception("loading the model failed")
        raise _unusable(error) from error


def backend_of(engine: TextEngine, settings: ServiceSettings) -> Backend:
    """Put sessions over an engine.

    Raises:
        StartError: The model is none that could speak.
    """
    try:
        return Backend.make(engine, settings)
    except UnsupportedTemplateError as error:
        raise _unusable(error) from error
    except Exception as error:
        logger.exception("loading the model failed")
        raise _unusable(error) from error


def _unusable(error: Exception) -> StartError:
    return StartError(f"the model can't be used: {error}")
