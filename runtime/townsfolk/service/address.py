"""Where a server listens, and what is wrong with a place that can't be had."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
from dataclasses import dataclass, replace
from typing import Protocol

import grpc
import grpc.aio

from townsfolk.service.start_error import StartError


class ListenAddress(Protocol):
    """Where a gRPC server can listen; as a string it is what a channel dials."""

    def bind(self, server: grpc.aio.Server) -> ListenAddress:
        """Have a gRPC server listen here; return the place with all that is known now.

        Raises:
            StartError: The place can't be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address of this machine.

    Attributes:
        host: An address or a name.
        port: A number; 0 for a free one.
        setting: The setting that chose the port, for messages.
        credentials: For TLS; None for none.
    """

    host: str
    port: int
    setting: str = "port"
    credentials: grpc.ServerCredentials | None = None

    def __str__(self) -> str:
        """Return `host:port`, with brackets where IPv6 needs them."""
        host = self.host.strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def bound_socket(self) -> socket.socket:
        """Return a socket that is bound here.

        Raises:
            StartError: The address can't be had; the message says why and what to change.
        """
        host = self.host.strip("[]")
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise StartError(f"host {self.host} is no address and no known name") from None
        refused: OSError | None = None
        for family, kind, protocol, _, place in found:
            bound = socket.socket(family, kind, protocol)
            try:
                if os.name == "posix":  # elsewhere it would let two programs share the port
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(place)
            except OSError as error:
                bound.close()
                refused = refused or error
            else:
                return bound
        assert refused is not None
        raise StartError(self._problem(refused)) from refused

    def check(self) -> None:
        """Raise StartError when the address can't be had: gRPC itself would not say why."""
        self.bound_socket().close()

    def bind(self, server: grpc.aio.Server) -> Address:
        """Have a gRPC server listen here; return the address with its port.

        Raises:
            StartError: The address can't be had.
        """
        try:
            if self.credentials is None:
                port = server.add_insecure_port(str(self))
            else:
                port = server.add_secure_port(str(self), self.credentials)
        except RuntimeError:
            raise StartError(self._taken()) from None
        return replace(self, port=port)

    def _problem(self, error: OSError) -> str:
        match error.errno:
            case errno.EADDRINUSE:
                return self._taken()
            case errno.EADDRNOTAVAIL:
                return f"host {self.host} is no address of this machine"
            case errno.EACCES | errno.EPERM:
                return (
                    f"this user may not listen on port {self.port}; choose another {self.setting}"
                )
        return f"can't listen on {self.host}, port {self.port}: {error.strerror or error}"

    def _taken(self) -> str:
        return (
            f"can't listen on {self.host}, port {self.port}: another program has it, perhaps "
            f"another runtime; choose another {self.setting}, or 0 for a free one"
        )


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """A socket of Linux that has a name and no port: nothing outside this machine can reach it."""

    name: str

    def __str__(self) -> str:
        """Return what a channel dials."""
        return f"unix-abstract:{self.name}"

    def bind(self, server: grpc.aio.Server) -> LocalSocket:
        """See ListenAddress."""
        try:
            server.add_insecure_port(str(self))
        except RuntimeError as error:
            raise StartError(f"can't listen on a socket of this machine: {error}") from error
        return self


def inner_place() -> ListenAddress:
    """Return where this process reaches its own gRPC server, without TLS.

    On Linux it is no port; elsewhere gRPC only has ports for it.
    """
    if sys.platform == "linux":
        return LocalSocket(f"townsfolk-{secrets.token_hex(16)}")
    return Address("127.0.0.1", 0)
