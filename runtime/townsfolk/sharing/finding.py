"""How a game gets a lease on the shared runtime: from the one that runs, or from one it starts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from townsfolk.service.start_error import StartError
from townsfolk.sharing import lease
from townsfolk.sharing.host_files import HostAddress, HostFiles

_CONNECT_S = 5.0
# What a host may take to answer that is busy: at its start, or on a machine that is.
_ANSWER_S = 60.0
_START_S = 60.0
_POLL_S = 0.02


def take_lease(
    files: HostFiles, command: Sequence[str], settings: dict[str, Any], stop: threading.Event
) -> socket.socket | None:
    """Return a connection on which a lease is held; None if told to stop before.

    Only one at a time looks for a host, so that two games that start at once start one. Blocks:
    for a thread.

    Args:
        files: Where it is looked for.
        command: What starts a host there.
        settings: What is wanted of the service; see `settings_told`.
        stop: Makes it give up.

    Raises:
        StartError: A host can't be started, or there is one that doesn't answer.
    """
    with files.finding(stop) as is_alone:
        if not is_alone:
            return None
        held = _hold(files.host(), settings)
        return held if held is not None else _start(files, command, settings, stop)


def _start(
    files: HostFiles, command: Sequence[str], settings: dict[str, Any], stop: threading.Event
) -> socket.socket | None:
    before = files.host()
    try:
        process = _spawn(files, command)
    except OSError as error:
        raise StartError(f"share: can't start {command[0]}: {error}") from error
    deadline = time.monotonic() + _START_S
    while not stop.is_set():
        host = files.host()
        held = _hold(host, settings) if host != before else None
        if held is not None:
            return held
        if process.poll() is not None:
            raise StartError(
                f"share: the shared runtime ended with {process.returncode} at its start. "
                f"{files.log_tail()}".strip()
            )
        if time.monotonic() > deadline:
            process.kill()
            raise StartError(
                f"share: the shared runtime did not start within {_START_S:g} s. {files.log_tail()}"
            )
        time.sleep(_POLL_S)
    process.kill()  # nobody else can have a lease yet
    return None


def _spawn(files: HostFiles, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that is not ended with this one, nor with its terminal."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    # Windows can't remove it while the host before still has it.
    descriptor = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=files.folder,  # a game's folder must not be held on to
            start_new_session=True,
            creationflags=flags,
        )


def _hold(host: HostAddress | None, settings: dict[str, Any]) -> socket.socket | None:
    """Return a lease of this host; None if there is none, or it is about to end.

    Raises:
        StartError: It is there and does not answer.
    """
    if host is None:
        return None
    try:
        connection = socket.create_connection(("127.0.0.1", host.port), timeout=_CONNECT_S)
    except OSError:
        return None
    try:
        connection.settimeout(_ANSWER_S)
        if _introduce(connection, host.token, settings):
            connection.settimeout(None)
            return connection
    except TimeoutError:
        connection.close()
        raise StartError(
            f"share: the shared runtime (process {host.pid}) has not answered for "
            f"{_ANSWER_S:g} s; end that process, or start without share"
        ) from None
    except (OSError, ValueError):
        pass
    connection.close()
    return None


def _introduce(connection: socket.socket, token: str, settings: dict[str, Any]) -> bool:
    """Agree on a lease; return whether that was done."""
    challenge = lease.challenge()
    connection.sendall(lease.line(hello=challenge))
    answer = _receive(connection)
    if not lease.is_proof(answer.get(lease.PROOF), token, challenge, "host"):
        return False
    proof = lease.proof(token, answer.get(lease.CHALLENGE), "attendant")
    connection.sendall(lease.line(proof=proof, settings=settings))
    return lease.HELD in _receive(connection)


def _receive(connection: socket.socket) -> dict[str, Any]:
    """Return one message, and leave what comes after it.

    Raises:
        ValueError: It is none.
        OSError: The connection ended.
    """
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece or len(data) > lease.LINE_LIMIT:
            raise ConnectionError("no message")
        data += piece
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("no message")
    return message
