"""The call layer's gRPC-Web on Mono's stock HttpClientHandler, the nearest relative of Unity's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DOTNET = os.environ.get("TOWNSFOLK_DOTNET") or shutil.which("dotnet")
MONO = shutil.which("mono")
MESSAGES = 8

pytestmark = [
    pytest.mark.skipif(DOTNET is None, reason="no dotnet to compile with; see test_dotnet.py"),
    pytest.mark.skipif(MONO is None, reason="no mono: apt-get install mono-devel"),
    pytest.mark.skipif(sys.platform == "win32", reason="Mono is tested on Linux and macOS"),
]


def build(project: str, name: str) -> Path:
    """Compile a probe as Unity would compile the package; return the program."""
    assert DOTNET is not None
    done = subprocess.run(
        [DOTNET, "build", str(HERE / project), "--nologo", "-p:UseSharedCompilation=false"],
        timeout=550,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return HERE / project / "bin/Debug/netstandard2.1" / name


@pytest.fixture(scope="module")
def program() -> Path:
    return build("Mono", "FramingProbe.dll")


class WebServer:
    """Answers gRPC-Web over HTTP/1.1, a frame a chunk, and waits for what a test has it wait for.

    Attributes:
        heads: of the requests that came.
        cancelled: set when a client has left.
    """

    def __init__(self, together: int = 1) -> None:
        """Hold answers until so many requests are there."""
        self.heads: list[str] = []
        self.cancelled = asyncio.Event()
        self._together = asyncio.Barrier(together)
        self._read = asyncio.Semaphore(MESSAGES * together)

    def hold_messages(self) -> None:
        """Send the second and each other message after `read_one` was called once more."""
        self._read = asyncio.Semaphore(1)

    def read_one(self) -> None:
        """Tell that the client has read a message."""
        self._read.release()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        await reader.readexactly(6)  # one frame of one byte
        try:
            await self._together.wait()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            if "/test/Stall" in head:
                await self.chunk(writer, 0, b"0")
                if await reader.read() == b"":
                    self.cancelled.set()
                return
            for number in range(MESSAGES):
                await self._read.acquire()
                await self.chunk(writer, 0, str(number).encode())
            await self.chunk(writer, 0x80, b"grpc-status: 0\r\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except ConnectionError:
            self.cancelled.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    @staticmethod
    async def chunk(writer: asyncio.StreamWriter, flags: int, message: bytes) -> None:
        """Send one frame."""
        frame = bytes([flags]) + len(message).to_bytes(4, "big") + message
        writer.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
        await writer.drain()


@contextlib.asynccontextmanager
async def probe(program: Path, mode: str, web: WebServer) -> AsyncIterator[Process]:
    """Run the probe against a server; it must end well."""
    assert MONO is not None
    async with await asyncio.start_server(web.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(MONO, str(program), str(port), mode),
            stdout=PIPE,
            stderr=STDOUT,
        )
        try:
            async with asyncio.timeout(300):
                yield process
                if mode != "cancel":  # that one stays until it is killed
                    rest, _ = await process.communicate()
                    assert process.returncode == 0, rest.decode()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def test_messages_arrive_as_they_are_sent(program: Path) -> None:
    """Each is sent when the one before was read; of a buffered answer none would ever arrive."""
    web = WebServer()
    web.hold_messages()
    async with probe(program, "stream", web) as process:
        for number in range(MESSAGES):
            assert await process.stdout.readline() == f"message {number}\n".encode()
            web.read_one()
        assert await process.stdout.readline() == b"status 0\n"
    assert "authorization: bearer secret" in web.heads[0].lower()


async def test_twenty_streams_at_once(program: Path) -> None:
    """None is answered before all are there."""
    async with probe(program, "many", WebServer(together=20)) as process:
        expected = f"streams 20 messages {20 * MESSAGES}\n"
        assert await process.stdout.readline() == expected.encode()


async def test_a_cancelled_stream_ends_on_both_sides(program: Path) -> None:
    web = WebServer()
    async with probe(program, "cancel", web) as process:
        assert await process.stdout.readline() == b"cancelled\n"
        await web.cancelled.wait()
        assert process.returncode is None


async def test_a_stalled_stream_ends_at_its_deadline(program: Path) -> None:
    async with probe(program, "deadline", WebServer()) as process:
        assert await process.stdout.readline() == b"deadline\n"


@pytest.fixture(scope="module")
def protobuf_probe() -> Path:
    build("Core", "Townsfolk.Core.dll")  # its restore brings the packages
    return build("MonoProtobuf", "ProtobufProbe.dll")


def set_up(probe: Path, archives: Path, folder: Path) -> list[str]:
    """Let the set-up add what Mono lacks out of the archives; return what the probe prints."""
    assert MONO is not None
    done = subprocess.run(
        [MONO, str(probe), str(archives), str(folder)],
        timeout=300,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def published(folder: Path) -> Path:
    """A folder of downloads: Google.Protobuf and all that it refers to, as published."""
    packages = Path(os.environ.get("NUGET_PACKAGES") or Path.home() / ".nuget/packages")
    folder.mkdir()
    for package, version in (
        ("google.protobuf", "3.25.1"),
        ("system.runtime.compilerservices.unsafe", "4.5.2"),
        ("system.memory", "4.5.3"),
        ("system.buffers", "4.4.0"),
    ):
        archive = f"{package}.{version}.nupkg"
        shutil.copy(packages / package / version / archive, folder / archive)
    return folder


def test_the_set_up_brings_all_that_protobuf_needs(protobuf_probe: Path, tmp_path: Path) -> None:
    """Mono has less than Unity, so that more of the packages are needed, and none too few."""
    lines = set_up(protobuf_probe, published(tmp_path / "downloads"), tmp_path / "plugins")
    assert lines == ["problem: "]
    assert sorted(file.name for file in (tmp_path / "plugins").iterdir()) == [
        "Google.Protobuf.dll",
        "System.Buffers.dll",
        "System.Memory.dll",
        "System.Runtime.CompilerServices.Unsafe.dll",
    ]


def test_what_protobuf_lacks_is_named(protobuf_probe: Path, tmp_path: Path) -> None:
    downloads = published(tmp_path / "downloads")
    (downloads / "system.runtime.compilerservices.unsafe.4.5.2.nupkg").unlink()
    missing, problem = set_up(protobuf_probe, downloads, tmp_path / "plugins")
    assert missing == "missing System.Runtime.CompilerServices.Unsafe 4.5.2"
    assert "not System.Runtime.CompilerServices.Unsafe 4.0.4.1, which it needs" in problem
