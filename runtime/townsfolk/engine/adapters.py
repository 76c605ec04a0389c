"""Adapters that requests name: found in one folder, loaded and unloaded while requests run."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from townsfolk.checkpoint import Adapter, AdapterError, read_adapter
from townsfolk.checkpoint.adapter import CONFIG_FILE
from townsfolk.engine.adapter_info import AdapterInfo
from townsfolk.engine.errors import (
    AdapterMemoryError,
    AdapterNotFoundError,
    NoAdaptersError,
    UnusableAdapterError,
)
from townsfolk.models import Architecture
from townsfolk.models.adapters import BoundAdapter, bind_adapter
from townsfolk.models.projections import padded_elements

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HOST = torch.device("cpu")

Command = Callable[[Future[None]], None]
"""What the engine's thread runs; it sets the future when it is done."""


class AdapterCommands(Protocol):
    """What the engine's thread does with adapters; see `EngineLoop`."""

    def load_adapter(self, number: int, adapter: BoundAdapter, done: Future[None]) -> None:
        """Have an adapter ready for steps."""

    def unload_adapter(self, number: int, gone: Callable[[], None], done: Future[None]) -> None:
        """Unload an adapter once no request has it, and then call `gone`."""


class AdapterRegistry:
    """The adapters of an engine. Methods may be called from any thread or event loop.

    A name is that of a folder within the one folder that the settings allow; nothing else is ever
    read. Each loading has a number of its own, which is part of the namespace of the KV: what an
    adapter has computed is never found by another, nor by the same name loaded again.
    """

    def __init__(
        self,
        folder: Path | None,
        memory: int,
        architecture: Architecture | None,
        dtype: torch.dtype,
        commands: AdapterCommands,
        run: Callable[[Command], Awaitable[None]],
    ) -> None:
        """Have none loaded.

        Args:
            folder: where they are; None where there are none.
            memory: bytes that all of them may take.
            architecture: of the decoder; None where its names are not known.
            dtype: in which adapters are computed.
            commands: for the engine's thread.
            run: has the engine's thread run one, and waits for it.
        """
        self._folder = folder if architecture is not None else None
        self._architecture = architecture
        self._memory = memory
        self._dtype = dtype
        self._commands = commands
        self._run = run
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._loaded: dict[str, AdapterInfo] = {}
        self._held: dict[int, int] = {}  # bytes by number, also of those that are on their way
        self._under_way: dict[str, Future[None]] = {}
        self._tasks: set[asyncio.Task[AdapterInfo]] = set()

    @contextmanager
    def using(self, name: str) -> Iterator[int]:
        """Give the number of a loaded adapter, which stays while a request is posted.

        Raises:
            AdapterNotFoundError: no adapter of this name is loaded.
        """
        if not name:
            yield 0
            return
        with self._lock:
            found = self._loaded.get(name)
            if found is None:
                raise AdapterNotFoundError(name, sorted(self._loaded), is_there=True)
            yield found.number

    def list(self) -> list[AdapterInfo]:
        """Return those that are loaded, and others of the folder, by name."""
        with self._lock:
            loaded = dict(self._loaded)
        names = {*loaded, *self._names()}
        return [loaded.get(name, AdapterInfo(name)) for name in sorted(names)]

    async def need(self, name: str) -> AdapterInfo:
        """Load an adapter unless it is loaded; return it.

        Raises:
            AdapterNotFoundError: there is none of this name.
            NoAdaptersError: the settings name no folder of adapters.
            UnusableAdapterError: it can't be used; the message says why.
            AdapterMemoryError: there is no room for it.
        """
        while True:
            with self._lock:
                if (found := self._loaded.get(name)) is not None:
                    return found
                under_way = self._under_way.get(name)
            if under_way is None:
                return await self.load(name)
            await asyncio.wait([asyncio.wrap_future(under_way)])

    async def load(self, name: str) -> AdapterInfo:
        """Read an adapter from its folder, also one that is loaded: requests to come get the new.

        It goes on where the caller leaves.

        Raises:
            AdapterNotFoundError, NoAdaptersError, UnusableAdapterError, AdapterMemoryError: as
                `need`.
        """
        path = self._path(name)
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # whoever waits may leave
        while True:
            with self._lock:
                under_way = self._under_way.setdefault(name, done)
            if under_way is done:
                break
            await asyncio.wait([asyncio.wrap_future(under_way)])
        task = asyncio.get_running_loop().create_task(self._load(name, path, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def unload(self, name: str) -> None:
        """Let go of an adapter. Replies under way end with it; requests to come are refused.

        Raises:
            AdapterNotFoundError: no adapter of this name is loaded.
        """
        with self._lock:
            found = self._loaded.pop(name, None)
            if found is None:
                raise AdapterNotFoundError(name, sorted(self._loaded), is_there=True)
        await self._retire(found)
        logger.info("the adapter %s is unloaded", name)

    async def _load(self, name: str, path: Path, done: Future[None]) -> AdapterInfo:
        try:
            try:
                adapter, bound = await asyncio.to_thread(self._read, path)
            except AdapterError as error:
                raise UnusableAdapterError(str(error)) from error
            info = self._reserve(name, adapter, bound)
            try:
                await self._run(partial(self._commands.load_adapter, info.number, bound))
            except BaseException:
                self._forget(info.number)
                raise
            with self._lock:
                before = self._loaded.get(name)
                self._loaded[name] = info
        finally:
            with self._lock:
                del self._under_way[name]
            done.set_result(None)
        if before is not None:
            await self._retire(before)
        logger.info("the adapter %s is loaded: rank %d", name, info.rank)
        return info

    async def _retire(self, info: AdapterInfo) -> None:
        gone = partial(self._forget, info.number)
        await self._run(partial(self._commands.unload_adapter, info.number, gone))

    def _read(self, path: Path) -> tuple[Adapter, BoundAdapter]:
        assert self._architecture is not None
        adapter = read_adapter(path)
        bound = bind_adapter(adapter, self._architecture)
        if bound.updates[-1] is not None:
            raise AdapterError(
                "the adapter changes the output projection of the model, which can't differ from "
                "row to row: merge it into the weights with --adapter"
            )
        return adapter, bound.to(_HOST, self._dtype)

    def _reserve(self, name: str, adapter: Adapter, bound: BoundAdapter) -> AdapterInfo:
        assert self._architecture is not None
        elements = padded_elements(bound, self._architecture.spec)
        nbytes = elements * self._dtype.itemsize
        with self._lock:
            held = sum(self._held.values())
            if held + nbytes > self._memory:
                raise AdapterMemoryError(name, nbytes, held, self._memory)
            number = next(self._numbers)
            self._held[number] = nbytes
        rank = max(weight.rank for weight in adapter.weights.values())
        return AdapterInfo(name, number, rank, nbytes)

    def _forget(self, number: int) -> None:
        with self._lock:
            del self._held[number]

    def _names(self) -> Iterator[str]:
        if self._folder is None or not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if _NAME.fullmatch(path.name) and (path / CONFIG_FILE).is_file():
                yield path.name

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise NoAdaptersError
        if not _NAME.fullmatch(name) or not (self._folder / name / CONFIG_FILE).is_file():
            raise AdapterNotFoundError(name, sorted(self._names()), is_there=False)
        return self._folder / name
