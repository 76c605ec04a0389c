"""Measure what the Godot add-on costs the game's main thread, and draw it.

    python tests/godot/measure_frame_cost.py [--seconds 20] [--fps 60] [--grpc-web] [--figure PNG]

A paced server speaks the real protocol to 20 NPCs at 30 tokens a second each; a headless Godot
takes the time that each frame spends in the add-on. Prints one JSON line. This is a measurement, no
test: it asserts nothing about speed. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import matplotlib.pyplot as plt
from townsfolk.service.gate import Gate
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.web_server import WebServer
from townsfolk.v1 import dialogue_pb2
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1 import townsfolk_pb2_grpc as rpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import godot_engine

TOKENS_PER_SECOND = 30
CHARACTERS_PER_TOKEN = 4
SENTENCE_TOKENS = 12


class Paced(rpc.TownsfolkServiceServicer):
    """Speaks at a fixed speed."""

    async def GetRuntimeInfo(  # noqa: N802
        self, request: pb.GetRuntimeInfoRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetRuntimeInfoResponse:
        """Say who this is."""
        return pb.GetRuntimeInfoResponse(model="paced", device="none")

    async def Converse(  # noqa: N802
        self, requests: AsyncIterator[pb.ConverseRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ConverseResponse]:
        """Open, then answer the first thing said until the stream ends."""
        async for request in requests:
            answer = pb.ConverseResponse()
            if request.HasField("open"):
                answer.event.opened.session_id = "paced"
                yield answer
            elif request.HasField("say"):
                async for event in self._speak(request.say.turn_id):
                    yield pb.ConverseResponse(event=event)

    async def OpenSession(  # noqa: N802
        self, request: pb.OpenSessionRequest, context: grpc.aio.ServicerContext
    ) -> pb.OpenSessionResponse:
        """Open, for gRPC-Web."""
        return pb.OpenSessionResponse(opened=dialogue_pb2.SessionOpened(session_id="paced"))

    async def Say(  # noqa: N802
        self, request: pb.SayRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SayResponse]:
        """Answer, for gRPC-Web."""
        async for event in self._speak(request.utterance.turn_id):
            yield pb.SayResponse(event=event)

    async def _speak(self, turn: str) -> AsyncIterator[dialogue_pb2.SessionEvent]:
        event = dialogue_pb2.SessionEvent()
        event.turn_started.turn_id = turn
        yield event
        loop = asyncio.get_running_loop()
        start, count = loop.time(), 0
        while True:
            event = dialogue_pb2.SessionEvent()
            event.text_delta.turn_id = turn
            event.text_delta.text = " word"[:CHARACTERS_PER_TOKEN]
            yield event
            count += 1
            if count % SENTENCE_TOKENS == 0:
                event = dialogue_pb2.SessionEvent()
                event.sentence_completed.turn_id = turn
                event.sentence_completed.text = " word" * SENTENCE_TOKENS
                yield event
            await asyncio.sleep(start + count / TOKENS_PER_SECOND - loop.time())


async def serve() -> None:
    """Serve until standard input closes; print the ports first: gRPC and gRPC-Web."""
    # As the runtime does: probing the bandwidth costs the client an answer for almost every frame.
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    rpc.add_TownsfolkServiceServicer_to_server(Paced(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    web = WebServer(ServiceSettings(web_port=0), Gate(), token="")
    await web.start(f"127.0.0.1:{port}")
    print(port, web.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)
    await web.stop()


def measure(seconds: float, fps: int, grpc_web: bool) -> dict[str, float | list[float]]:
    """Run server and game; return what the game reported."""
    executable = godot_engine.find_godot()
    if executable is None:
        raise SystemExit("needs Godot 4.6 as `godot` on PATH or its path in TOWNSFOLK_GODOT")
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = f"127.0.0.1:{server.stdout.readline().split()[grpc_web]}"
        if grpc_web:
            os.environ["TOWNSFOLK_TEST_TRANSPORT"] = "2"
        with tempfile.TemporaryDirectory() as folder:
            godot = godot_engine.make_project(executable, Path(folder))
            [report] = godot.drive(
                "frame_cost", "speak", address, str(seconds), str(fps), timeout=120
            )
    finally:
        server.stdin.close()
        server.wait(10)
    return report


def draw(frames: list[float], title: str, path: Path) -> None:
    """Draw the distribution of the frames' costs."""
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    axes.hist(frames, bins=80, color="#4f7cac")
    axes.axvline(statistics.fmean(frames), color="#d1495b", label="mean")
    axes.axvline(percentile(frames, 99), color="#edae49", label="99th percentile")
    axes.set_xlabel("main-thread time in the add-on, ms a frame")
    axes.set_ylabel("frames")
    axes.set_title(title, fontsize=10)
    axes.legend()
    figure.savefig(path, dpi=120)


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile."""
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=int, default=60, help="frames a second; 0: as many as go")
    parser.add_argument("--grpc-web", action="store_true", help="instead of HTTP/2")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    report = measure(arguments.seconds, arguments.fps, arguments.grpc_web)
    frames = report["msec"]
    assert isinstance(frames, list)
    tokens = report["characters"] / CHARACTERS_PER_TOKEN / report["seconds"]
    result = {
        "npcs": 20,
        "transport": "gRPC-Web" if arguments.grpc_web else "HTTP/2",
        "tokens_per_second": round(tokens, 1),
        "frames": len(frames),
        "frames_per_second": round(len(frames) / report["seconds"], 1),
        "mean_ms": round(statistics.fmean(frames), 4),
        "p50_ms": round(percentile(frames, 50), 4),
        "p99_ms": round(percentile(frames, 99), 4),
        "max_ms": round(max(frames), 4),
    }
    print(json.dumps(result))
    if arguments.figure:
        title = (
            f"20 NPCs, {tokens:.0f} tokens/s together, {result['frames_per_second']:.0f} frames/s"
        )
        draw(frames, title, arguments.figure)


if __name__ == "__main__":
    main()
