"""The call layer's gRPC-Web on Mono's stock HttpClientHandler, the nearest relative of Unity's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DOTNET = os.environ.get("TOWNSFOLK_DOTNET") or shutil.which("dotnet")
MONO = shutil.which("mono")
PIECE_S = 0.1
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
        timeout=170,
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
    """Answers gRPC-Web over HTTP/1.1, a frame a chunk, with pauses between."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.open = self.most_open = self.cancelled = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        await reader.readexactly(6)  # one frame of one byte
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            if "/test/Stall" in head:
                await self.chunk(writer, 0, b"0")
                if await reader.read() == b"":
                    self.cancelled += 1
                return
            for number in range(MESSAGES):
                await self.chunk(writer, 0, str(number).encode())
                await asyncio.sleep(PIECE_S)
            await self.chunk(writer, 0x80, b"grpc-status: 0\r\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except ConnectionError:
            self.cancelled += 1
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    @staticmethod
    async def chunk(writer: asyncio.StreamWriter, flags: int, message: bytes) -> None:
        frame = bytes([flags]) + len(message).to_bytes(4, "big") + message
        writer.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
        await writer.drain()


async def run(program: Path, mode: str) -> tuple[list[list[str]], WebServer]:
    """Run the probe against a server; its output's words, and what the server saw."""
    assert MONO is not None
    web = WebServer()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        MONO,
        str(program),
        str(port),
        mode,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 40)
    except TimeoutError:
        process.kill()
        raise
    server.close()
    text = output.decode()
    assert process.returncode == 0, text
    return [line.split() for line in text.splitlines()], web


async def test_messages_arrive_as_they_are_sent(program: Path) -> None:
    lines, web = await run(program, "stream")
    assert [line[1] for line in lines[:-1]] == [str(number) for number in range(MESSAGES)]
    assert lines[-1] == ["status", "0"]
    first, last = int(lines[0][2]), int(lines[-2][2])
    # Buffered, all would arrive at the end at once.
    assert last - first > 1000 * PIECE_S * (MESSAGES - 1) / 2
    assert "authorization: bearer secret" in web.heads[0].lower()


async def test_twenty_streams_at_once(program: Path) -> None:
    lines, web = await run(program, "many")
    assert lines == [["streams", "20", "messages", str(20 * MESSAGES)]]
    assert web.most_open == 20


async def test_a_cancelled_stream_ends_on_both_sides(program: Path) -> None:
    lines, web = await run(program, "cancel")
    assert lines[0][0] == "cancelled"
    assert web.cancelled == 1


async def test_a_stalled_stream_ends_at_its_deadline(program: Path) -> None:
    lines, _ = await run(program, "deadline")
    assert lines == [["deadline"]]


@pytest.fixture(scope="module")
def protobuf_probe() -> Path:
    build("Core", "Townsfolk.Core.dll")  # its restore brings the packages
    return build("MonoProtobuf", "ProtobufProbe.dll")


def set_up(probe: Path, archives: Path, folder: Path) -> list[str]:
    """Let the set-up add what Mono lacks out of the archives; return what the probe prints."""
    assert MONO is not None
    done = subprocess.run(
        [MONO, str(probe), str(archives), str(folder)],
        timeout=60,
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
