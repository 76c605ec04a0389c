"""The GDScript gRPC transport against a real grpcio server."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tls_proxy import make_certificate, tls_proxy
from townsfolk.v1 import townsfolk_pb2 as pb

SERVER = Path(__file__).with_name("transport_server.py")
OK, CANCELLED, UNKNOWN, INVALID, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 12, 13, 14


@contextmanager
def start_server(*arguments: str, **environment: str) -> Iterator[str]:
    """Run the transport server in a process of its own; yield its addresses, a word each.

    The second one is gRPC-Web's, as the driver knows it by "web:" before it.
    """
    process = subprocess.Popen(
        [sys.executable, str(SERVER), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment or None,
    )
    try:
        port, web_port = process.stdout.readline().split()
        yield f"127.0.0.1:{port} web:127.0.0.1:{web_port}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=300)


@pytest.fixture(scope="module")
def addresses() -> Iterator[str]:
    with start_server() as both:
        yield both


@pytest.fixture
def server(addresses: str) -> str:
    """HTTP/2."""
    return addresses.split()[0]


@pytest.fixture
def web_server(addresses: str) -> str:
    """gRPC-Web."""
    return addresses.split()[1]


@pytest.fixture(params=["http2", "grpc_web"])
def place(request: pytest.FixtureRequest) -> int:
    """Make the test run over both transports: which of two addresses."""
    return ["http2", "grpc_web"].index(request.param)


@pytest.fixture
def either(addresses: str, place: int) -> str:
    return addresses.split()[place]


@pytest.fixture
def own_server(place: int) -> Iterator[str]:
    with start_server() as both:
        yield both.split()[place]


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


def test_unary(godot, either):
    [answer] = godot.drive("transport", "unary", either)
    assert answer["parameters"] == 2**40 + 1


def test_server_streaming(godot, either, server):
    [status] = godot.drive("transport", "server_streaming", either)
    assert status["code"] == OK
    assert status["texts"] == [f"{number} " for number in range(100)]
    # The runtime's gRPC-Web port passes a call's status on, and no other trailers.
    assert status["trailer"] == ("100" if either == server else None)


def test_client_streaming(godot, server):
    [status] = godot.drive("transport", "client_streaming", server)
    assert status["code"] == OK
    assert status["collected"] == " ".join(f"n{number}" for number in range(50))


def test_bidirectional(godot, server):
    [status] = godot.drive("transport", "bidirectional", server)
    assert status["code"] == OK
    assert status["heard"] == ["first ünï 🍺"] + [f"again {number}" for number in range(1, 5)]


def test_errors(godot, either):
    reported = godot.drive("transport", "errors", either, "fail-at-once", "fail-later", "raise")
    codes = [status.get("code") for status in reported]
    assert codes == [NOT_FOUND, RESOURCE_EXHAUSTED, UNKNOWN, UNIMPLEMENTED, None]
    assert reported[0]["message"] == "no lore 'ærø' \u2013 100% gone\nreally"
    assert "on purpose" in reported[2]["message"]


def test_deadline(godot, either):
    status, answer = godot.drive("transport", "deadline", either)
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


def test_messages_larger_than_every_window(godot, either):
    reported = godot.drive("transport", "big_messages", either)
    assert [status["sizes"] for status in reported] == [[100_000], [3_000_000]]
    assert {status["code"] for status in reported} == {OK}


def test_more_streams_than_can_be_open_at_once(godot, either):
    assert godot.drive("transport", "many_streams", either) == [
        {"event": "all done", "wrong": [], "left": 0}
    ]


@contextmanager
def refusing(refusals: int) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP/2 server that refuses the first calls unseen and answers the next with its request.

    Yield its address and the bodies of all calls, refused or not, which come in as they arrive.
    """
    bodies: list[bytes] = []

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return (
            struct.pack(">I", len(payload))[1:]
            + bytes([kind, flags])
            + stream.to_bytes(4)
            + payload
        )

    def header(name: bytes, value: bytes) -> bytes:
        return bytes([0, len(name)]) + name + bytes([len(value)]) + value

    def serve(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        stream.read(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        connection.sendall(frame(4, 0, 0))
        while head := stream.read(9):
            payload = stream.read(int.from_bytes(head[:3]))
            kind, flags, number = head[3], head[4], int.from_bytes(head[5:])
            if kind != 0 or not flags & 1:  # the end of a request is DATA with END_STREAM
                continue
            bodies.append(payload)
            if len(bodies) <= refusals:
                connection.sendall(frame(3, 0, number, struct.pack(">I", 7)))
                continue
            request = pb.GenerateRequest.FromString(payload[5:])
            answer = pb.GenerateResponse(text=pb.GeneratedText(text=request.text))
            data = answer.SerializeToString()
            connection.sendall(
                frame(1, 4, number, b"\x88" + header(b"content-type", b"application/grpc"))
                + frame(0, 0, number, b"\0" + struct.pack(">I", len(data)) + data)
                + frame(1, 5, number, header(b"grpc-status", b"0"))
            )

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", bodies


def test_a_call_that_is_refused_unseen_is_made_again(godot):
    with refusing(3) as (address, bodies):
        [status] = godot.drive("transport", "echo", address)
    assert (status["code"], status["texts"]) == (OK, ["say it again"])
    assert len(bodies) == 4
    assert len(set(bodies)) == 1


def test_a_server_that_refuses_every_call_is_unavailable(godot):
    with refusing(1000) as (address, bodies):
        [status] = godot.drive("transport", "echo", address)
    assert status["code"] == UNAVAILABLE
    assert "REFUSED_STREAM" in status["message"]
    assert 2 <= len(bodies) <= 20


def test_a_fast_server_is_held_back_by_the_time_budget(godot, either):
    [status] = godot.drive("transport", "time_budget", either)
    assert status["code"] == OK
    assert status["received"] == 20000
    assert status["frames_shared_it"]


def test_no_server(godot, place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    status, after = godot.drive("transport", "no_server", ["", "web:"][place] + address)
    assert status["code"] == UNAVAILABLE
    assert f"can't connect to {address}: is the Townsfolk runtime" in status["message"]
    assert after["event"] == "still here"


def test_server_dies(godot, own_server):
    reported = godot.drive("transport", "server_dies", own_server)
    assert [status["code"] for status in reported] == [UNAVAILABLE, UNAVAILABLE]
    assert "was closed" in reported[0]["message"]


def test_server_shuts_down_in_order(godot):
    with start_server() as both:
        last, after = godot.drive("transport", "drained", both.split()[0])
    assert last["code"] == OK
    assert after["code"] == UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "patience_s", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 3600, "speaks HTTP/1"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 9, 3600, "over the limit"),
        (b"hello", 0.5, "no gRPC answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 3600, "over the limit"),
    ],
)
def test_a_server_that_speaks_something_else(godot, data, patience_s, message):
    with answering(data) as address:
        [status] = godot.drive("transport", "garbage", address, str(patience_s))
    assert status["code"] in (INTERNAL, UNAVAILABLE)
    assert message in status["message"]


def test_tls_through_a_proxy_before_the_server(godot, server, tmp_path):
    key, certificate = make_certificate(tmp_path)
    with tls_proxy(server, key, certificate) as address:
        [status] = godot.drive("transport", "encrypted", address, str(certificate))
    assert (status["code"], status["parameters"]) == (OK, 2**40 + 1)


def test_tls_straight_to_a_grpc_server_is_refused_for_want_of_alpn(godot, tmp_path):
    """Godot can't offer ALPN, and gRPC servers insist on it: a clear error, no hanging."""
    key, certificate = make_certificate(tmp_path)
    with start_server(str(key), str(certificate)) as address:
        [status] = godot.drive(
            "transport", "encrypted", address.split()[0], str(certificate), check=False
        )
    assert status["code"] == UNAVAILABLE
    assert "insists on ALPN" in status["message"]


def test_tls_refuses_a_certificate_that_is_not_trusted(godot, tmp_path):
    key, certificate = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")
    with start_server(str(key), str(certificate)) as address:
        [status] = godot.drive(
            "transport", "encrypted", address.split()[0], str(other), check=False
        )
    assert status["code"] == UNAVAILABLE
    assert "is its certificate trusted?" in status["message"]


def test_a_server_that_falls_silent_is_given_up(godot):
    # An empty SETTINGS frame, and then nothing.
    with answering(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00") as address:
        [status] = godot.drive("transport", "silence", address, "0.3")
    assert status["code"] == UNAVAILABLE
    assert "does not answer any more" in status["message"]


def test_a_server_that_answers_pings_is_not_given_up(godot, server):
    assert godot.drive("transport", "silence", server, "3600") == [
        {"event": "still open", "error": ""}
    ]


def test_grpc_web_leaves_a_connection_to_short_calls(godot, web_server):
    first, second, hanging, over = godot.drive("transport", "six_connections", web_server)
    assert first["event"] == second["event"] == "answer"
    assert hanging["answered"] == 5
    assert over["left"] == 0


def test_grpc_web_carries_the_token(godot, web_server):
    [answer] = godot.drive("transport", "metadata", web_server)
    assert "'authorization': 'Bearer sesame'" in answer["seen"]
    assert "'has-deadline': True" in answer["seen"]


def test_grpc_web_can_not_stream_requests(godot, web_server):
    [status] = godot.drive("transport", "streamed_requests", web_server)
    assert status["code"] == UNIMPLEMENTED
    assert "can't stream both ways" in status["message"]


def web_answer(
    body: bytes, status: str = "200 OK", content_type: str = "application/grpc-web+proto"
) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


# What can be wrong inside a body: test_grpc_web.py.
@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"hello\r\n\r\n", UNKNOWN, "no type"),
        (web_answer(b"no", status="403 Forbidden"), 7, "status 403"),
        (web_answer(b"{}", content_type="application/json"), UNKNOWN, "json"),
        (web_answer(b"\x00\x00\x00\x00\x05ab"), UNAVAILABLE, "ended without its status"),
        (web_answer(b"\x80\x00\x00\x00\x0fgrpc-status:x\r\n"), UNKNOWN, 'status "x"'),
    ],
)
def test_grpc_web_answers_that_are_broken(godot, data, code, message):
    with answering(data) as address:
        [status] = godot.drive("transport", "garbage", f"web:{address}", "3600", check=False)
    assert status["code"] == code
    assert message in status["message"]
