"""HPACK and HTTP/2 framing in GDScript: the RFCs' vectors, round trips, and broken input."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

quick = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

REQUEST_1 = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
REQUEST_1 += [(":authority", "www.example.com")]
REQUEST_2 = [*REQUEST_1, ("cache-control", "no-cache")]
REQUEST_3 = [(":method", "GET"), (":scheme", "https"), (":path", "/index.html")]
REQUEST_3 += [(":authority", "www.example.com"), ("custom-key", "custom-value")]


def response(status: str, date: str) -> list[tuple[str, str]]:
    return [
        (":status", status),
        ("cache-control", "private"),
        ("date", date),
        ("location", "https://www.example.com"),
    ]


RESPONSE_1 = response("302", "Mon, 21 Oct 2013 20:13:21 GMT")
RESPONSE_2 = response("307", "Mon, 21 Oct 2013 20:13:21 GMT")
RESPONSE_3 = [
    *response("200", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ("content-encoding", "gzip"),
    ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
]
# RFC 7541, appendix C: (table size, [(block, headers, size of the dynamic table after it)]).
APPENDIX_C = {
    "C.2.1": (
        4096,
        [
            (
                "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
                [("custom-key", "custom-header")],
                55,
            )
        ],
    ),
    "C.2.2": (4096, [("040c2f73616d706c652f70617468", [(":path", "/sample/path")], 0)]),
    "C.2.3": (4096, [("100870617373776f726406736563726574", [("password", "secret")], 0)]),
    "C.2.4": (4096, [("82", [(":method", "GET")], 0)]),
    "C.3": (
        4096,
        [
            ("828684410f7777772e6578616d706c652e636f6d", REQUEST_1, 57),
            ("828684be58086e6f2d6361636865", REQUEST_2, 110),
            ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", REQUEST_3, 164),
        ],
    ),
    "C.4": (
        4096,
        [
            ("828684418cf1e3c2e5f23a6ba0ab90f4ff", REQUEST_1, 57),
            ("828684be5886a8eb10649cbf", REQUEST_2, 110),
            ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", REQUEST_3, 164),
        ],
    ),
    "C.5": (
        256,
        [
            (
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a"
                "323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
                RESPONSE_1,
                222,
            ),
            ("4803333037c1c0bf", RESPONSE_2, 222),
            (
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69"
                "707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d6178"
                "2d6167653d333630303b2076657273696f6e3d31",
                RESPONSE_3,
                215,
            ),
        ],
    ),
    "C.6": (
        256,
        [
            (
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29"
                "ad171863c78f0b97c8e9ae82ae43d3",
                RESPONSE_1,
                222,
            ),
            ("4883640effc1c0bf", RESPONSE_2, 222),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7"
                "f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d50"
                "07",
                RESPONSE_3,
                215,
            ),
        ],
    ),
}


def flat(headers: list[tuple[str, str]]) -> list[str]:
    return [text for header in headers for text in header]


def coded(headers: list[tuple[str, str]]) -> list[str]:
    return [text.encode().hex() for text in flat(headers)]


@pytest.mark.parametrize("name", APPENDIX_C)
def test_hpack_decodes_the_vectors_of_rfc_7541(oracle, name):
    table_size, blocks = APPENDIX_C[name]
    oracle.ask("hpack_reset", table_size=table_size)
    for block, headers, size in blocks:
        answer = oracle.ask("hpack_decode", block=block)
        assert answer == {"headers": coded(headers), "error": "", "size": size}


def test_hpack_encodes_the_requests_of_rfc_7541_as_the_rfc_does(oracle):
    oracle.ask("hpack_reset", table_size=4096)
    for block, headers, size in APPENDIX_C["C.4"][1]:
        assert oracle.ask("hpack_encode", headers=flat(headers)) == {"block": block, "size": size}


names = st.sampled_from([":path", "te", "grpc-timeout", "authorization", "x-a", "x-b"]) | st.text(
    "abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=40
)
octets = st.characters(min_codepoint=1, max_codepoint=255)
header_lists = st.lists(st.tuples(names, st.text(octets, max_size=60)), max_size=8)


@quick
@given(blocks=st.lists(st.tuples(header_lists, st.none() | st.integers(0, 5000)), max_size=6))
def test_hpack_round_trips_with_changing_table_sizes(oracle, blocks):
    oracle.ask("hpack_reset", table_size=4096)
    for headers, table_size in blocks:
        change = {} if table_size is None else {"table_size": table_size}
        encoded = oracle.ask("hpack_encode", headers=flat(headers), **change)
        answer = oracle.ask("hpack_decode", block=encoded["block"])
        assert answer == {"headers": coded(headers), "error": "", "size": encoded["size"]}


def test_a_secret_is_never_indexed(oracle):
    oracle.ask("hpack_reset", table_size=4096)
    answer = oracle.ask("hpack_encode", headers=["authorization", "Bearer x"])
    assert answer["size"] == 0
    assert answer["block"].startswith("1f08")  # never indexed, name 23 of the static table


@quick
@given(st.binary(max_size=60))
def test_huffman_round_trip(oracle, octets):
    first = oracle.ask("huffman", octets=octets.hex(), encoded="")
    answer = oracle.ask("huffman", octets="", encoded=first["encoded"])
    assert answer["valid"]
    assert answer["decoded"] == octets.hex()
    assert first["size"] == len(first["encoded"]) // 2


@pytest.mark.parametrize(
    "encoded",
    [
        "ff",  # eight bits of padding
        "fffffffc",  # the end-of-string symbol itself
        "f1e3c2e5f23a6ba0ab90f4fe",  # padding that is not all ones
    ],
)
def test_huffman_refuses_bad_padding(oracle, encoded):
    assert not oracle.ask("huffman", octets="", encoded=encoded)["valid"]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("80", "header index 0 is in no table"),
        ("be", "header index 62 is in no table"),
        ("ff80808080808080", "integer too large"),
        ("400a6375", "ends early"),
        ("3fe21f", "beyond the limit"),
        ("8220", "after a header"),
        ("008561ffffffff", "ends early"),
        ("0081ff0161", "invalid Huffman code"),
        ("000161010000", "NUL in a header"),
    ],
)
def test_hpack_refuses_malformed_blocks(oracle, block, problem):
    oracle.ask("hpack_reset", table_size=4096)
    assert problem in oracle.ask("hpack_decode", block=block)["error"]


@quick
@given(st.binary(max_size=80))
def test_hpack_survives_any_bytes(oracle, block):
    oracle.ask("hpack_reset", table_size=4096)
    answer = oracle.ask("hpack_decode", block=block.hex())
    assert isinstance(answer["error"], str)
    assert answer["size"] <= 4096


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
CONTINUATION = 9
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def setting(identifier: int, value: int) -> bytes:
    return struct.pack(">HI", identifier, value)


HELLO = frame(SETTINGS)
OK_HEADERS = frame(HEADERS, END_HEADERS, 1, bytes.fromhex("88"))


def feed(oracle, *pieces: bytes, **more):
    return oracle.ask("http2", pieces=[piece.hex() for piece in pieces], **more)


def frames(output: str) -> list[tuple[int, int, int, bytes]]:
    data, found = bytes.fromhex(output), []
    while data:
        length = int.from_bytes(data[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", data[3:9])
        found.append((kind, flags, stream, data[9 : 9 + length]))
        data = data[9 + length :]
    return found


def test_an_answer_in_single_bytes(oracle):
    wire = HELLO + OK_HEADERS + frame(DATA, 0, 1, b"ab")
    wire += frame(HEADERS, END_HEADERS | END_STREAM, 1, bytes.fromhex("88"))
    answer = feed(oracle, *(bytes([byte]) for byte in wire))
    assert answer["events"] == ["headers :status,200", "data 6162", "headers :status,200", "end 0 "]
    assert answer["streams"] == 0
    # The settings are acknowledged; the request, which was not ended, is.
    assert frames(answer["output"]) == [(SETTINGS, ACK, 0, b""), (RST_STREAM, 0, 1, bytes(4))]


def test_padding_priority_and_continuation(oracle):
    padded = frame(HEADERS, PADDED | HAS_PRIORITY, 1, b"\x02" + bytes(5) + b"\x40\x01a" + b"xx")
    continued = frame(CONTINUATION, END_HEADERS, 1, b"\x01b")
    body = frame(DATA, PADDED | END_STREAM, 1, b"\x03hi" + bytes(3))
    answer = feed(oracle, HELLO + frame(PRIORITY, 0, 1, bytes(5)) + padded + continued + body)
    assert answer["events"] == ["headers a,b", "data 6869", "end 0 "]


def test_ping_is_answered_and_unknown_frames_are_ignored(oracle):
    answer = feed(oracle, HELLO + frame(PING, 0, 0, b"12345678") + frame(99, 255, 7, b"x"))
    assert frames(answer["output"])[-1] == (PING, ACK, 0, b"12345678")
    assert answer["error"] == ""


def test_sending_obeys_the_windows(oracle):
    start = frame(SETTINGS, 0, 0, setting(4, 10))
    more = frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 5))
    shrink = frame(SETTINGS, 0, 0, setting(4, 0))
    rest = frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 100))
    body = bytes(range(30))

    def sent(*pieces: bytes) -> bytes:
        # The request goes out before the server's settings are known: the default window holds.
        output = feed(oracle, *pieces, send=(bytes(65535) + body).hex())["output"]
        return b"".join(p for kind, _, _, p in frames(output) if kind == DATA)[65535:]

    everything = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 10**6))
    assert sent(everything) == b""  # without settings that is a protocol error
    assert sent(HELLO + everything) == b""
    assert sent(HELLO + everything + more) == body[:5]
    assert sent(HELLO + everything + more + rest) == body
    # A smaller initial window makes the stream's window negative; it must be filled up first.
    assert sent(start + everything + more + rest) == b""
    assert sent(shrink + everything + more + rest) == b""
    assert sent(HELLO + more + rest) == b""  # the connection's window is empty


def test_receiving_opens_the_windows_again(oracle):
    chunk = frame(DATA, 0, 1, bytes(16384))
    answer = feed(oracle, HELLO + OK_HEADERS + chunk * 200)
    updates = [f for f in frames(answer["output"]) if f[0] == WINDOW_UPDATE]
    assert {stream for _, _, stream, _ in updates} == {0, 1}
    assert answer["error"] == ""


def test_goaway_refuses_what_the_server_has_not_seen(oracle):
    answer = feed(oracle, HELLO + frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    assert answer["events"] == ["end 7 the server is going away (NO_ERROR)"]


def test_goaway_lets_the_others_finish(oracle):
    goaway = frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0))
    answer = feed(oracle, HELLO + goaway + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88"))
    assert answer["events"] == ["headers :status,200", "end 0 "]


@pytest.mark.parametrize(
    ("wire", "code", "problem"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1, "speaks HTTP/1"),
        (frame(PING, 0, 0, bytes(8)), 1, "first frame is not SETTINGS"),
        (frame(SETTINGS, ACK), 1, "first frame is not SETTINGS"),
        (HELLO + b"\x00\x40\x01" + bytes(6), 6, "over the limit"),
        (HELLO + frame(DATA, 0, 0, b"x"), 1, "which never was"),
        (HELLO + frame(DATA, 0, 3, b"x"), 1, "which never was"),
        (HELLO + frame(HEADERS, END_HEADERS, 2, b"\x88"), 1, "which never was"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, b"\x80"), 9, "in no table"),
        (HELLO + frame(HEADERS, 0, 1, b"\x88") + frame(PING, 0, 0, bytes(8)), 1, "interrupted"),
        (HELLO + frame(CONTINUATION, END_HEADERS, 1, b"\x88"), 1, "without HEADERS"),
        (HELLO + frame(DATA, PADDED, 1, b"\x05abc"), 1, "padding"),
        (HELLO + frame(DATA, PADDED, 1, b""), 1, "padding"),
        (HELLO + frame(HEADERS, HAS_PRIORITY | END_HEADERS, 1, b"abc"), 1, "padding"),
        (HELLO + frame(PRIORITY, 0, 1, b"x"), 6, "PRIORITY"),
        (HELLO + frame(RST_STREAM, 0, 1, b"x"), 6, "RST_STREAM"),
        (HELLO + frame(RST_STREAM, 0, 5, bytes(4)), 1, "which never was"),
        (frame(SETTINGS, 0, 1), 1, "SETTINGS on a stream"),
        (frame(SETTINGS, 0, 0, b"x"), 6, "SETTINGS"),
        (frame(SETTINGS, ACK, 0, bytes(6)), 6, "SETTINGS"),
        (frame(SETTINGS, 0, 0, setting(2, 1)), 1, "ENABLE_PUSH"),
        (frame(SETTINGS, 0, 0, setting(4, 2**31)), 3, "INITIAL_WINDOW_SIZE"),
        (frame(SETTINGS, 0, 0, setting(5, 100)), 1, "MAX_FRAME_SIZE"),
        (HELLO + frame(PUSH_PROMISE, END_HEADERS, 1, bytes(5)), 1, "PUSH_PROMISE"),
        (HELLO + frame(PING, 0, 0, b"x"), 6, "PING"),
        (HELLO + frame(PING, 0, 1, bytes(8)), 1, "PING"),
        (HELLO + frame(GOAWAY, 0, 0, b"x"), 6, "GOAWAY"),
        (HELLO + frame(WINDOW_UPDATE, 0, 0, bytes(4)), 1, "WINDOW_UPDATE"),
        (HELLO + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), 3, "too large"),
        (HELLO + frame(WINDOW_UPDATE, 0, 0, b"x"), 6, "WINDOW_UPDATE"),
        (
            HELLO
            + frame(HEADERS, 0, 1, bytes(16384))
            + frame(CONTINUATION, 0, 1, bytes(16384)) * 8,
            11,
            "header block over",
        ),
    ],
)
def test_a_breach_of_the_protocol_ends_the_connection_with_the_reason(oracle, wire, code, problem):
    answer = feed(oracle, wire)
    assert problem in answer["error"]
    assert answer["streams"] == 0
    assert sum(event.startswith("closed ") for event in answer["events"]) == 1
    kind, _, _, payload = frames(answer["output"])[-1]
    assert kind == GOAWAY
    assert struct.unpack(">II", payload[:8]) == (0, code)


anything = st.builds(
    frame,
    st.integers(0, 11),
    st.integers(0, 255),
    st.sampled_from([0, 0, 1, 1, 1, 2, 3, 2**31 - 1, 2**32 - 1]),
    st.binary(max_size=40) | st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8),
)


@settings(quick, max_examples=400)
@given(
    pieces=st.lists(anything | st.just(HELLO) | st.just(OK_HEADERS) | st.binary(), max_size=12),
    greeted=st.booleans(),
)
def test_any_input_leaves_the_connection_open_or_closed_with_a_reason(oracle, pieces, greeted):
    answer = feed(oracle, HELLO if greeted else b"", *pieces)
    closed = [event for event in answer["events"] if event.startswith("closed ")]
    assert closed == ([f"closed {answer['error']}"] if answer["error"] else [])
    ends = [event for event in answer["events"] if event.startswith("end ")]
    assert len(ends) + answer["streams"] == 1
