"""A gRPC server with the real service's shape, for the edge cases of a transport.

Run as a program it prints its port and that of the runtime's own gRPC-Web server before it, and
serves until its standard input closes. What Generate does follows from the prompt's first word; see
there.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from townsfolk.service.gate import Gate
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.web_server import WebServer
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1 import townsfolk_pb2_grpc as rpc


class Transport(rpc.TownsfolkServiceServicer):
    """Answers that exercise the transport."""

    def __init__(self) -> None:
        self.server: grpc.Server | None = None
        self.cancelled = 0

    def GetRuntimeInfo(  # noqa: N802
        self, request: pb.GetRuntimeInfoRequest, context: grpc.ServicerContext
    ) -> pb.GetRuntimeInfoResponse:
        """Tell what the metadata was and how many calls were cancelled."""
        seen = {k: v for k, v in context.invocation_metadata() if k != "user-agent"}
        context.send_initial_metadata([("x-initial", "hello"), ("x-some-bin", b"\x00\xff")])
        context.set_trailing_metadata([("x-trailing", "bye")])
        remaining = context.time_remaining()
        if seen:
            seen["has-deadline"] = remaining is not None and 0 < remaining <= 7
        return pb.GetRuntimeInfoResponse(
            model=repr(seen), parameters=2**40 + 1, device=f"cancelled {self.cancelled}"
        )

    def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GenerateResponse]:
        """Do what the prompt says: count N, hang, die, drain, fail..., or echo it."""
        word, _, rest = request.text.partition(" ")
        if word == "count":
            for number in range(int(rest)):
                yield pb.GenerateResponse(text=pb.GeneratedText(text=f"{number} "))
            context.set_trailing_metadata([("x-count", rest)])
        elif word == "hang":
            context.add_callback(self._count_cancelled)
            yield pb.GenerateResponse()
            while context.is_active():
                time.sleep(0.01)
        elif word == "die":
            os._exit(3)
        elif word == "drain":
            assert self.server is not None
            self.server.stop(grace=10)
            yield pb.GenerateResponse()
            time.sleep(0.3)
        elif word == "fail-at-once":
            context.abort(grpc.StatusCode.NOT_FOUND, "no lore 'ærø' \u2013 100% gone\nreally")
        elif word == "fail-later":
            yield pb.GenerateResponse()
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")
        elif word == "raise":
            raise RuntimeError("a fault of the test server, on purpose")
        else:
            yield pb.GenerateResponse(text=pb.GeneratedText(text=request.text))

    def Converse(  # noqa: N802
        self, request_iterator: Iterator[pb.ConverseRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.ConverseResponse]:
        """Echo what is notified."""
        for request in request_iterator:
            answer = pb.ConverseResponse()
            answer.event.notified.text = request.notify
            yield answer

    def collect(
        self, request_iterator: Iterator[pb.ConverseRequest], context: grpc.ServicerContext
    ) -> pb.GetSessionResponse:
        """Join what is notified: the service itself has no call of this kind."""
        texts = [request.notify for request in request_iterator]
        return pb.GetSessionResponse(current_turn_id=" ".join(texts))

    def _count_cancelled(self) -> None:
        self.cancelled += 1


def start_web_server(port: int) -> int:
    """Serve gRPC-Web, forwarding to the port; return the port that was taken."""
    server = WebServer(ServiceSettings(web_port=0, max_message_bytes=8 << 20), Gate(), token="")
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(server.start(f"127.0.0.1:{port}"), loop).result(10)
    return server.port


def serve() -> None:
    """Serve until standard input closes."""
    transport = Transport()
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        # Fewer than the test opens at once: the rest must wait.
        ("grpc.max_concurrent_streams", 60),
        # As the runtime does: clients may ping as often as they like.
        ("grpc.http2.max_ping_strikes", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=options)
    transport.server = server
    rpc.add_TownsfolkServiceServicer_to_server(transport, server)
    collect = grpc.stream_unary_rpc_method_handler(
        transport.collect, pb.ConverseRequest.FromString, pb.GetSessionResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("townsfolk.test.Transport", {"Collect": collect})]
    )
    if len(sys.argv) > 2:
        key, certificate = (Path(path).read_bytes() for path in sys.argv[1:3])
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, start_web_server(port), flush=True)
    threading.Thread(target=server.wait_for_termination, daemon=True).start()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    serve()
