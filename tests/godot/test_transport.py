"""The GDScript gRPC transport against a real grpcio server."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("transport_server.py")
OK, CANCELLED, UNKNOWN, INVALID, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 12, 13, 14


@contextmanager
def start_server(*arguments: str, **environment: str) -> Iterator[str]:
    """Run the transport server in a process of its own; yield its address."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment or None,
    )
    try:
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with start_server() as address:
        yield address


@pytest.fixture
def own_server() -> Iterator[str]:
    with start_server() as address:
        yield address


@contextmanager
def answering(data: bytes) -> Iterator[str]:
    """A server that answers everything with the same bytes and then is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(data)
                    while connection.recv(65536):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_unary(godot, server):
    [answer] = godot.drive("transport", "unary", server)
    assert answer == {"event": "answer", "model": "{}", "parameters": 2**40 + 1}


def test_server_streaming(godot, server):
    [status] = godot.drive("transport", "server_streaming", server)
    assert status["code"] == OK
    assert status["texts"] == [f"{number} " for number in range(100)]
    assert status["trailer"] == "100"


def test_client_streaming(godot, server):
    [status] = godot.drive("transport", "client_streaming", server)
    assert status["code"] == OK
    assert status["collected"] == " ".join(f"n{number}" for number in range(50))


def test_bidirectional(godot, server):
    [status] = godot.drive("transport", "bidirectional", server)
    assert status["code"] == OK
    assert status["heard"] == ["first ünï 🍺"] + [f"again {number}" for number in range(1, 5)]


def test_errors(godot, server):
    reported = godot.drive("transport", "errors", server, "fail-at-once", "fail-later", "raise")
    codes = [status.get("code") for status in reported]
    assert codes == [NOT_FOUND, RESOURCE_EXHAUSTED, UNKNOWN, UNIMPLEMENTED, None]
    assert reported[0]["message"] == "no lore 'ærø' – 100% gone\nreally"
    assert "on purpose" in reported[2]["message"]


def test_deadline(godot, server):
    status, answer = godot.drive("transport", "deadline", server)
    assert status["code"] == DEADLINE_EXCEEDED
    assert answer["event"] == "answer"


def test_cancel_reaches_the_server(godot, own_server):
    status, seen = godot.drive("transport", "cancel", own_server)
    assert status["code"] == CANCELLED
    assert seen["event"] == "server saw it"


def test_metadata_both_ways(godot, server):
    [answer] = godot.drive("transport", "metadata", server)
    for piece in [
        "'authorization': 'Bearer sesame'",
        "'x-player': 'Anna'",
        r"'x-raw-bin': b'\x00\x01\x02\xff'",
        "'has-deadline': True",
    ]:
        assert piece in answer["seen"]
    assert answer["initial"]["x-initial"] == "hello"
    assert answer["initial"]["x-some-bin"].rstrip("=") == "AP8"
    assert answer["trailing"]["x-trailing"] == "bye"


def test_messages_larger_than_every_window(godot, server):
    reported = godot.drive("transport", "big_messages", server)
    assert [status["sizes"] for status in reported] == [[100_000], [3_000_000]]
    assert {status["code"] for status in reported} == {OK}


def test_more_streams_than_the_server_allows_at_once(godot, server):
    assert godot.drive("transport", "many_streams", server) == [
        {"event": "all done", "right": True, "left": 0}
    ]


def test_a_fast_server_is_held_back_by_the_time_budget(godot, server):
    [status] = godot.drive("transport", "time_budget", server)
    assert status["code"] == OK
    assert status["received"] == 20000
    assert status["frames_shared_it"]


def test_no_server(godot):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    status, after = godot.drive("transport", "no_server", address)
    assert status["code"] == UNAVAILABLE
    assert f"can't connect to {address}: is the Townsfolk runtime running" in status["message"]
    assert after["event"] == "still here"


def test_server_dies(godot, own_server):
    reported = godot.drive("transport", "server_dies", own_server)
    assert [status["code"] for status in reported] == [UNAVAILABLE, UNAVAILABLE]
    assert "was closed" in reported[0]["message"]


def test_server_shuts_down_in_order(godot, own_server):
    last, after = godot.drive("transport", "drained", own_server)
    assert last["code"] == OK
    assert after["code"] == UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "speaks HTTP/1"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 9, "over the limit"),
        (b"hello", "no gRPC answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "over the limit"),
    ],
)
def test_a_server_that_speaks_something_else(godot, data, message):
    with answering(data) as address:
        [status] = godot.drive("transport", "garbage", address)
    assert status["code"] in (INTERNAL, UNAVAILABLE)
    assert message in status["message"]
