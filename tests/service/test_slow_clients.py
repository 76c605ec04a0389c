"""Clients that connect and say nothing, or stop in the middle, take nothing from the others."""

from __future__ import annotations

import asyncio
import os
import socket

import http2_frames
import pytest
from serve_process import serve, stub_of
from service_runtime import Stream, exactly, serving
from townsfolk.service import http, server, web_server
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Has the runtime wait for the beginning of a request as briefly as a test does."""
    monkeypatch.setattr(web_server, "HEADERS_S", 0.5)
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.5)
    monkeypatch.setattr(http, "BODY_S", 0.5)


POST = b"POST /townsfolk.v1.TownsfolkService/Say HTTP/1.1\r\nhost: x\r\n"
BEGINNINGS = [
    ("port", b""),
    ("port", http2_frames.PREFACE[:7]),
    ("port", http2_frames.PREFACE),
    ("web_port", b""),
    ("web_port", POST),
    ("web_port", b"OPTIONS / HTTP/1.1\r\nhost: x\r\n\r\n" + POST),
    ("web_port", POST + b"content-type: application/grpc-web\r\ncontent-length: 9\r\n\r\n\0"),
]


@pytest.mark.parametrize(("port", "beginning"), BEGINNINGS)
async def test_a_client_that_does_not_go_on_is_hung_up_on(model, impatient, port, beginning):
    async with serving(model, ServiceSettings(port=0, web_port=0)) as runtime:
        stream = Stream(runtime)
        await stream.open(sampling=exactly(3))
        reader, writer = await asyncio.open_connection("127.0.0.1", getattr(runtime.server, port))
        writer.write(beginning)
        async with asyncio.timeout(300):
            await reader.read()
        writer.close()
        await stream.send(say=dialogue.Utterance(text="Still there?"))
        await stream.next("turn_finished")


async def first_line(port: int) -> bytes:
    """What a web port answers a request that it does not take."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line


async def test_web_connections_beyond_the_limit_are_refused_and_the_others_work(model):
    async with serving(
        model, ServiceSettings(port=0, web_port=0, web_max_connections=3)
    ) as runtime:
        port = runtime.server.web_port
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert b"503" in await reader.read()
            writer.close()
            await writer.wait_closed()
        for _, writer in silent:
            writer.close()
        async with asyncio.timeout(300):
            while b"405" not in await first_line(port):
                pass  # the silent ones are being closed


@pytest.mark.skipif(os.name != "posix", reason="ulimit is POSIX's")
def test_a_runtime_without_descriptors_is_quiet_and_recovers(model, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    with serve(model, tmp_path, "--web-port", "0", prelude=limit) as (child, ready):
        log = child.read_log()
        silent: list[socket.socket] = []
        for _ in range(80):
            for port in (ready["web_port"], ready["port"]):
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", port))
                silent.append(connection)
        for connection in silent:
            connection.close()
        with stub_of(ready) as (stub, metadata):
            request = pb.GetRuntimeInfoRequest()
            assert stub.GetRuntimeInfo(request, metadata=metadata, wait_for_ready=True, timeout=500)
        assert len(log().splitlines()) < 60
