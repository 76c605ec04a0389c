"""The GDScript gRPC transport against a real grpcio server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
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
    assert reported[0]["message"] == "no lore 'ærø' \u2013 100% gone\nreally"
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


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a key and a certificate for localhost, signed by itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return key, certificate


@contextmanager
def tls_proxy(target: str, key: Path, certificate: Path) -> Iterator[str]:
    """Take TLS off and pass the bytes on, as a proxy before the runtime does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    host, port = target.split(":")
    started, loop = threading.Event(), asyncio.new_event_loop()
    address: list[str] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))

    async def listen() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        address.append(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started.set()

    loop.create_task(listen())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_tls_through_a_proxy_before_the_server(godot, server, tmp_path):
    key, certificate = make_certificate(tmp_path)
    with tls_proxy(server, key, certificate) as address:
        [status] = godot.drive("transport", "encrypted", address, str(certificate))
    assert (status["code"], status["parameters"]) == (OK, 2**40 + 1)


def test_tls_straight_to_a_grpc_server_is_refused_for_want_of_alpn(godot, tmp_path):
    """Godot can't offer ALPN, and gRPC servers insist on it: a clear error, no hanging."""
    key, certificate = make_certificate(tmp_path)
    with start_server(str(key), str(certificate)) as address:
        [status] = godot.drive("transport", "encrypted", address, str(certificate), check=False)
    assert status["code"] == UNAVAILABLE
    assert "was closed" in status["message"]


def test_tls_refuses_a_certificate_that_is_not_trusted(godot, tmp_path):
    key, certificate = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")
    with start_server(str(key), str(certificate)) as address:
        [status] = godot.drive("transport", "encrypted", address, str(other), check=False)
    assert status["code"] == UNAVAILABLE
    assert "is its certificate trusted?" in status["message"]
