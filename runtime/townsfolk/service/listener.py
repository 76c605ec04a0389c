"""The gRPC port: grpcio's server, which outlives whatever arrives at it.

In grpcio's asyncio server (1.85) one frame from anybody could end the listener for good, and could
corrupt memory; `_Core` keeps that from happening. Should its main loop die all the same, of
whatever, `Listener` makes a new server on the same port. Sessions are above both, and streams that
are open live on in the old server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import grpc
import grpc.aio
from grpc._cython import cygrpc
from grpc.aio import _server

from townsfolk import contract
from townsfolk.service.address import Address, ListenAddress
from townsfolk.service.auth import refusal
from townsfolk.service.start_error import StartError

logger = logging.getLogger(__name__)

Options = Sequence[tuple[str, int]]

# How often the server is looked at, in seconds.
WATCH_S = 0.2
# How long a new server tries to get the old one's port.
REBIND_S = 5.0
REBIND_PAUSE_S = 0.02
# How long streams of a server whose main loop died may go on: they may.
RETIRED_S = 7 * 24 * 3600.0

_UNKNOWN_SERVICE, _UNKNOWN_METHOD = "townsfolk.unknown", "Method"
_UNKNOWN = f"/{_UNKNOWN_SERVICE}/{_UNKNOWN_METHOD}".encode()


class _Core(cygrpc.AioServer):  # type: ignore[misc]  # Cython's classes have no types
    """grpcio's server without two faults of its main loop.

    The loop decodes the name of a method that is not registered, and dies of one that is not UTF-8.
    All of ours are registered; so calls of any other are asked for under one registered name, and
    nothing is left to decode. And a loop that dies frees the places into which gRPC's core writes
    the calls it was asked for, while the core goes on writing; shielded, they live as long as that.
    """

    def _make_request_call_future(self, method: bytes | None) -> asyncio.Future[Any]:
        if method is None:
            return asyncio.get_running_loop().create_future()
        call = super()._make_request_call_future(None if method == _UNKNOWN else method)
        call.add_done_callback(_note)
        return asyncio.shield(call)


def _note(call: asyncio.Future[Any]) -> None:
    """Look at how a call's place ended, which at the server's end nobody else does."""
    if not call.cancelled():
        call.exception()


class _Server(_server.Server):
    """grpc.aio's server around that core."""

    def __init__(
        self, interceptors: Sequence[grpc.aio.ServerInterceptor], options: Options
    ) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Core(self._loop, None, (), interceptors, tuple(options), None)
        unknown = refusal(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{contract.this_runtime()} has no such call: upgrade the runtime if the caller is "
            f"newer, else the caller; {contract.HELP}",
        )
        self.add_registered_method_handlers(_UNKNOWN_SERVICE, {_UNKNOWN_METHOD: unknown})


class Listener:
    """A gRPC server at an address, made anew at the same one when it dies.

    Attributes:
        address: Where it listens; its port is known after `start`.
        inner: Where this process itself reaches it too; None for nowhere.
    """

    def __init__(
        self,
        address: Address,
        inner: ListenAddress | None,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        options: Options,
        register: Callable[[grpc.aio.Server], None],
        fail: Callable[[str], None],
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            address: Where to listen.
            inner: Where to listen too, for this process alone.
            interceptors: What every call goes through.
            options: gRPC's channel arguments.
            register: Puts the servicers on a server.
            fail: Is told why when the server died and could not be made anew.
        """
        self.address = address
        self.inner = inner
        self._interceptors = interceptors
        self._options = options
        self._register = register
        self._fail = fail
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._retired: dict[grpc.aio.Server, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Listen.

        Raises:
            StartError: An address can't be had, or its certificate can't be used.
        """
        self._server = await self._make()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, grace_s: float) -> None:
        """End: calls under way get so many seconds, then they are cut off."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._server is not None:
            ends = [server.stop(grace_s) for server in (self._server, *self._retired)]
            # One that has died just now may say so; its streams are ended all the same.
            await asyncio.gather(*ends, return_exceptions=True)

    async def _make(self) -> grpc.aio.Server:
        self.address.check()
        server = cast(grpc.aio.Server, _Server(self._interceptors, self._options))
        self._register(server)
        try:
            self.address = self.address.bind(server)
            if self.inner is not None:
                self.inner = self.inner.bind(server)
        except StartError:
            # Only a server that ran lets go of what it has bound.
            await server.start()
            await server.stop(None)
            raise
        await server.start()
        return server

    async def _watch(self) -> None:
        while self._server is not None:
            reason: Exception | str = "it ended by itself"
            try:
                if await self._server.wait_for_termination(WATCH_S):
                    continue
            except Exception as error:
                reason = error
            logger.error("the gRPC listener died and is made anew: %s", reason)
            self._retire(self._server)
            try:
                self._server = await self._make_anew()
            except Exception as error:
                self._fail(f"the gRPC listener died and can't be made anew: {error}")
                return
            logger.warning("listening again", extra={"address": str(self.address)})

    def _retire(self, server: grpc.aio.Server) -> None:
        """Let a dead server's streams go on, and free it after the last."""

        async def end() -> None:
            # The first call may fail with what the main loop died of, before it waits for streams.
            for _ in range(2):
                with suppress(Exception):
                    await server.stop(RETIRED_S)

        task = asyncio.create_task(end())
        self._retired[server] = task
        task.add_done_callback(lambda _: self._retired.pop(server))

    async def _make_anew(self) -> grpc.aio.Server:
        deadline = asyncio.get_running_loop().time() + REBIND_S
        while True:
            try:
                return await self._make()
            except StartError:  # the dead server still has the port
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(REBIND_PAUSE_S)
