"""The wire format of gRPC-Web: frames, their base64 form, trailers and timeouts.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md and PROTOCOL-HTTP2.md there.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from urllib.parse import quote

# A frame is one byte of flags, the length as four bytes (big-endian), and so many bytes.
_HEADER = struct.Struct(">BI")
HEADER_BYTES = _HEADER.size
_COMPRESSED = 0x01
_TRAILERS = 0x80

# What PROTOCOL-HTTP2.md lets stand in grpc-message: printable ASCII except the percent sign.
_UNQUOTED = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

_BASE64_GROUP = 4


class BrokenFrameError(ValueError):
    """The request's body or headers are no gRPC-Web; the message says what is wrong."""


def data_frame(message: bytes) -> bytes:
    """Return the frame of one message."""
    return _HEADER.pack(0, len(message)) + message


def trailer_frame(status: int, message: str) -> bytes:
    """Return the frame of a call's end: its status, and its message percent-encoded."""
    lines = f"grpc-status:{status}\r\n"
    if message:
        lines += f"grpc-message:{quote(message, safe=_UNQUOTED)}\r\n"
    return _HEADER.pack(_TRAILERS, len(lines)) + lines.encode("ascii")


def only_message(body: bytes) -> bytes:
    """Return the message of a body, which must hold exactly one data frame.

    Raises:
        BrokenFrameError: It holds something else.
    """
    if len(body) < HEADER_BYTES:
        raise BrokenFrameError(
            f"the body has {len(body)} bytes; a frame has at least {HEADER_BYTES}"
        )
    flags, length = _HEADER.unpack_from(body)
    if flags & _TRAILERS:
        raise BrokenFrameError("the body begins with trailers; send one data frame")
    if flags & _COMPRESSED:
        raise BrokenFrameError("the message is compressed; send it as it is (flag byte 0)")
    if flags:
        raise BrokenFrameError(f"the flag byte is {flags:#04x}; send 0x00")
    if length != len(body) - HEADER_BYTES:
        raise BrokenFrameError(
            f"the frame announces {length} bytes and the body holds {len(body) - HEADER_BYTES}; "
            "send exactly one whole frame"
        )
    return body[HEADER_BYTES:]


def encode_text(frame: bytes) -> bytes:
    """Return a frame as grpc-web-text writes it: base64, padded by itself."""
    return base64.b64encode(frame)


def decode_text(body: bytes) -> bytes:
    """Return the bytes of a grpc-web-text body: base64 pieces one after the other, each padded.

    Raises:
        BrokenFrameError: It is no base64.
    """
    try:
        if len(body) % _BASE64_GROUP:
            raise binascii.Error("its length is no multiple of 4")
        # Padding ends a piece; it can only stand at the end of a group of four.
        pieces = re.findall(rb"(?:[^=]{4})*(?:[^=]{2}==|[^=]{3}=)?", body)
        if sum(map(len, pieces)) != len(body):
            raise binascii.Error("padding stands inside a group")
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except binascii.Error as error:
        raise BrokenFrameError(f"the grpc-web-text body is no base64: {error}") from None


def timeout_s(header: str) -> float:
    """Return the seconds of a grpc-timeout header, such as `1500m`.

    Raises:
        BrokenFrameError: It is no timeout.
    """
    match = _TIMEOUT.fullmatch(header)
    if match is None:
        raise BrokenFrameError(
            f"grpc-timeout is {header!r}; send 1 to 8 digits and a unit: H, M, S, m, u or n"
        )
    return int(match[1]) * _UNIT_S[match[2]]
