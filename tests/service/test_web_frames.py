"""The wire format of gRPC-Web."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.service import web_frames as frames


@given(st.binary(max_size=300))
def test_a_message_comes_back_out_of_its_frame(message):
    frame = frames.data_frame(message)
    assert frames.only_message(frame) == message
    assert frame[:1] == b"\0"
    assert int.from_bytes(frame[1:5], "big") == len(message)


@given(st.binary(max_size=64))
def test_any_other_body_is_refused_with_a_reason(body):
    whole = len(body) >= 5 and body[0] == 0 and int.from_bytes(body[1:5], "big") == len(body) - 5
    if whole:
        assert frames.only_message(body) == body[5:]
    else:
        with pytest.raises(frames.BrokenFrameError):
            frames.only_message(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "0 bytes"),
        (b"\0\0\0\0", "4 bytes"),
        (b"\0\0\0\0\x05abc", "announces 5 bytes and the body holds 3"),
        (b"\0\0\0\0\x01abc", "announces 1 bytes and the body holds 3"),
        (b"\0\xff\xff\xff\xffabc", "announces 4294967295"),
        (frames.data_frame(b"a") * 2, "exactly one"),
        (b"\x01\0\0\0\0", "compressed"),
        (b"\x80\0\0\0\0", "trailers"),
        (b"\x02\0\0\0\0", "0x02"),
    ],
)
def test_a_broken_body_says_what_is_wrong(body, says):
    with pytest.raises(frames.BrokenFrameError, match=says):
        frames.only_message(body)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5))
def test_text_is_base64_in_pieces_each_with_its_own_padding(pieces):
    body = b"".join(map(frames.encode_text, pieces))
    assert frames.decode_text(body) == b"".join(pieces)


@given(st.binary(max_size=50))
def test_text_decodes_as_base64_does_or_is_refused(body):
    try:
        expected = base64.b64decode(body, validate=True)
    except ValueError:
        expected = None
    try:
        decoded = frames.decode_text(body)
    except frames.BrokenFrameError:
        decoded = None
    if expected is not None:
        assert decoded == expected


@pytest.mark.parametrize("body", [b"A", b"AA=", b"A===", b"=AAA", b"AA=A", b"A\nAA", b"A-_A"])
def test_text_that_is_no_base64_is_refused(body):
    with pytest.raises(frames.BrokenFrameError, match="base64"):
        frames.decode_text(body)


def test_trailers_are_ascii_whatever_the_message():
    frame = frames.trailer_frame(3, "temperature: 5 % über\r\nx: 1")
    assert frame[0] == 0x80
    assert int.from_bytes(frame[1:5], "big") == len(frame) - 5
    lines = frame[5:].decode("ascii")
    assert lines == ("grpc-status:3\r\ngrpc-message:temperature: 5 %25 %C3%BCber%0D%0Ax: 1\r\n")
    assert frames.trailer_frame(0, "")[5:] == b"grpc-status:0\r\n"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2H", 7200),
        ("3M", 180),
        ("5S", 5),
        ("1500m", 1.5),
        ("250u", 250e-6),
        ("99999999n", 0.099999999),
    ],
)
def test_timeouts(header, seconds):
    assert frames.timeout_s(header) == pytest.approx(seconds)


@pytest.mark.parametrize("header", ["", "5", "S", "-1S", "1.5S", "123456789S", "5s", "5 S", "٣S"])
def test_what_is_no_timeout_is_refused(header):
    with pytest.raises(frames.BrokenFrameError, match="grpc-timeout"):
        frames.timeout_s(header)
