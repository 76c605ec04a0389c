"""HTTP/2 as it should not be: frames made by hand, mutated, and connections that misbehave."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x4, 0x8, 0x20
SERVICE = b"/townsfolk.v1.TownsfolkService/"
METHODS = (b"Converse", b"OpenSession", b"Say", b"Generate", b"WatchStats", b"ListSessions")


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame, whose length is right."""
    head = struct.pack(">IBBI", len(payload), kind, flags, stream)[1:]
    return head + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header in HPACK, without a table and without compression."""
    return b"\x00" + _length(len(name)) + name + _length(len(value)) + value


def _length(number: int) -> bytes:
    if number < 127:
        return bytes([number])
    rest, out = number - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


def call_headers(path: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """What begins a gRPC call."""
    pairs = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"127.0.0.1"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *more,
    )
    return b"".join(literal(name, value) for name, value in pairs)


def opening() -> bytes:
    """What a client sends first."""
    return PREFACE + frame(SETTINGS)


class Fuzzer:
    """Mutated frames, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._kinds: tuple[Callable[[int], bytes], ...] = (
            self._call,
            self._call,
            self._call,
            self._odd_path,
            self._odd_path,
            self._odd_header,
            self._message,
            self._control,
            self._spoiled,
            self._anything,
        )

    def connection(self, frames: int) -> Iterator[bytes]:
        """The frames of one connection, after its opening.

        Those that end the connection at once come late, or nothing of the others would be read.
        """
        stream = 1
        for number in range(frames):
            last = number >= frames - 2
            make = self._draw.choice(self._kinds if last else self._kinds[:-2])
            yield make(stream)
            stream += 2

    def _bytes(self, most: int) -> bytes:
        return self._draw.randbytes(self._draw.randrange(most))

    def _path(self) -> bytes:
        return SERVICE + self._draw.choice(METHODS)

    def _call(self, stream: int) -> bytes:
        """A whole call of a method, with a message of random bytes."""
        headers = call_headers(self._path())
        message = self._bytes(64)
        prefix = struct.pack(">BI", 0, len(message))
        return frame(HEADERS, END_HEADERS, stream, headers) + frame(
            DATA, END_STREAM, stream, prefix + message
        )

    def _odd_path(self, stream: int) -> bytes:
        """A name that is no method's: not UTF-8, empty, long, with bytes changed."""
        path = bytearray(self._draw.choice((self._path(), b"/", b"", b"/\x96", b"*")))
        for _ in range(self._draw.randrange(4)):
            path.insert(self._draw.randrange(len(path) + 1), self._draw.randrange(256))
        flags = END_HEADERS | self._draw.choice((0, END_STREAM))
        return frame(HEADERS, flags, stream, call_headers(bytes(path)))

    def _odd_header(self, stream: int) -> bytes:
        """Metadata that no client sends."""
        names = (b"authorization", b"grpc-timeout", b"grpc-encoding", b"user-agent", b"x-bin")
        name = self._draw.choice((*names, b"content-length", self._bytes(12)))
        headers = call_headers(self._path(), (name, self._bytes(40)))
        return frame(HEADERS, END_HEADERS | END_STREAM, stream, headers)

    def _message(self, stream: int) -> bytes:
        """A call whose message lies about its length or its compression."""
        lie = struct.pack(">BI", self._draw.randrange(256), self._draw.randrange(2**32))
        cut = frame(RST, 0, stream, struct.pack(">I", self._draw.randrange(14)))
        headers = frame(HEADERS, END_HEADERS, stream, call_headers(self._path()))
        end = self._draw.choice((cut, frame(DATA, END_STREAM, stream), b""))
        return headers + frame(DATA, 0, stream, lie + self._bytes(32)) + end

    def _control(self, stream: int) -> bytes:
        """Frames about the connection."""
        draw = self._draw
        return draw.choice(
            (
                frame(PING, draw.randrange(2), 0, draw.randbytes(8)),
                frame(WINDOW, 0, 0, struct.pack(">I", draw.randrange(1, 2**16))),
                frame(PRIORITY, 0, stream, draw.randbytes(5)),
                frame(SETTINGS, 0, 0, struct.pack(">HI", draw.choice((1, 6)), 2**15)),
                frame(draw.randrange(10, 256), draw.randrange(256), stream, self._bytes(32)),
                frame(GOAWAY, 0, 0, struct.pack(">II", draw.randrange(9), 0)),
            )
        )

    def _spoiled(self, stream: int) -> bytes:
        """A good frame with some bytes changed, anywhere."""
        good = bytearray(self._call(stream))
        for _ in range(self._draw.randrange(1, 6)):
            good[self._draw.randrange(len(good))] = self._draw.randrange(256)
        return bytes(good)

    def _anything(self, _: int) -> bytes:
        """A frame of random type, flags, stream and payload."""
        draw = self._draw
        return frame(
            draw.randrange(256), draw.randrange(256), draw.randrange(2**31), self._bytes(99)
        )

    def web_request(self) -> bytes:
        """A gRPC-Web request with some bytes changed, or none at all."""
        body = struct.pack(">BI", 0, 8) + self._draw.randbytes(8)
        head = (
            f"POST {self._path().decode()} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            "content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        request = bytearray(head.encode() + body)
        for _ in range(self._draw.randrange(8)):
            request[self._draw.randrange(len(request))] = self._draw.randrange(256)
        return bytes(request if self._draw.random() < 0.9 else self._bytes(200))
