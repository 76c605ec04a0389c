"""Bodies of gRPC-Web answers in GDScript, and text that is read without a message."""

from __future__ import annotations

import pytest
from grpc_web import frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from townsfolk.v1 import townsfolk_pb2 as pb

quick = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TRAILERS = 0x80
OK = b"grpc-status:0\r\n"


def feed(oracle, *pieces: bytes):
    return oracle.ask("grpc_web", pieces=[piece.hex() for piece in pieces])


@quick
@given(
    messages=st.lists(st.binary(max_size=300), max_size=6),
    text=st.text("abc %:éö\u2013", max_size=20),
    data=st.data(),
)
def test_a_body_in_any_pieces_gives_its_messages_and_trailers(oracle, messages, text, data):
    framed = b"".join(map(frame, messages))
    quoted = "".join(c if c.isascii() and c != "%" else f"%{ord(c) % 256:02X}" for c in text)
    trailers = f"grpc-status: 5\r\nGrpc-Message: x{quoted}x\r\n".encode()
    body = framed + frame(trailers, TRAILERS)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert feed(oracle, *pieces) == {
        "messages": framed.hex(),
        "trailers": ["grpc-status", "5", "grpc-message", f"x{quoted}x"],
        "error": "",
        "whole": True,
    }


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "ended without its status"),
        (frame(b"ab"), "ended without its status"),
        (frame(b"ab")[:-1], "ended without its status"),
        (b"\x80\x00\x00", "ended without its status"),
        (frame(b"", TRAILERS), "trailers without grpc-status"),
        (frame(b"x:grpc-status\r\n", TRAILERS), "trailers without grpc-status"),
        (frame(OK + b"nonsense\r\n", TRAILERS), 'the trailer "nonsense" has no name'),
        (frame(b"grpc-status:\xff\r\n", TRAILERS), "trailers with the byte 0xff"),
        (frame(OK, TRAILERS) + b"x", "something follows the trailers"),
        (frame(OK, TRAILERS) + frame(OK, TRAILERS), "something follows the trailers"),
        (frame(OK, 0x81), "compressed trailers"),
        (b"\x80\x00\x02\x00\x00", "trailers of 131072 bytes"),
    ],
)
def test_a_broken_body_is_a_clear_error(oracle, body, problem):
    assert problem in feed(oracle, body)["error"]
    assert problem in feed(oracle, *[bytes([byte]) for byte in body])["error"]


pieces_of_bodies = st.binary(max_size=40) | st.builds(
    frame, st.binary(max_size=20) | st.just(OK), st.sampled_from([0, 0, 1, 0x80, 0x80, 0x81, 0xFF])
)


@quick
@given(st.lists(pieces_of_bodies, max_size=8))
def test_any_body_is_whole_or_an_error(oracle, pieces):
    answer = feed(oracle, *pieces)
    assert answer["error"] or answer["whole"]
    assert len(answer["messages"]) <= 2 * sum(map(len, pieces))


def read(oracle, message: bytes) -> str:
    return bytes.fromhex(oracle.ask("text_event", bytes=message.hex())["text"]).decode()


def delta(text: str, turn_id: str = "5f2c91aa-12") -> bytes:
    response = pb.ConverseResponse()
    response.event.text_delta.turn_id = turn_id
    response.event.text_delta.text = text
    return response.SerializeToString()


@quick
@given(
    st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=100),
    st.text("0123456789abcdef-", max_size=12),
)
def test_plain_text_is_read_straight_from_its_bytes(oracle, text, turn_id):
    assert read(oracle, delta(text, turn_id)) == text


@quick
@given(st.text(max_size=200), st.text(max_size=130))
def test_other_text_is_left_to_the_messages_or_read_right(oracle, text, turn_id):
    assert read(oracle, delta(text, turn_id)) in ("", text)


@quick
@given(st.binary(max_size=140), st.integers(0, 40), st.binary(max_size=3))
def test_bytes_that_are_something_else_are_left_to_the_messages(oracle, noise, at, more):
    whole = delta("Well met.")
    broken = whole[:at] + noise + whole[at:] + more
    text = read(oracle, broken)
    if text:
        assert text == pb.ConverseResponse.FromString(broken).event.text_delta.text
