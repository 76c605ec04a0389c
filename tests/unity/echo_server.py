"""A gRPC server of all four kinds of calls, on grpcio, for the Unity client's call layer.

Prints its port on the first line and ends when its standard input does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

cancelled: list[str] = []


def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Echo; a request "fail" fails, "metadata" shows what came, "cancelled" what was cancelled."""
    if request == b"fail":
        context.set_trailing_metadata([("reason", "asked")])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "wie gewünscht: 100 %")
    if request == b"metadata":
        context.send_initial_metadata([("first", "1")])
        context.set_trailing_metadata([("last", "2")])
        return "\n".join(f"{key}={value}" for key, value in context.invocation_metadata()).encode()
    if request == b"time":
        return str(context.time_remaining()).encode()
    if request == b"cancelled":
        return "\n".join(cancelled).encode()
    return request


def count(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """Send the numbers 0 to n-1; for "forever:NAME" go on until cancelled and note the name."""
    if request.startswith(b"forever:"):
        name = request.decode().partition(":")[2]
        context.add_callback(lambda: cancelled.append(name))
        number = 0
        while context.is_active():
            yield str(number).encode()
            number += 1
            time.sleep(0.01)
        return
    for number in range(int(request)):
        yield str(number).encode()


def total(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    """Add numbers up; "enough" answers at once."""
    result = 0
    for request in requests:
        if request == b"enough":
            break
        result += int(request)
    return str(result).encode()


def duplex(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    """Answer each request before the next one comes."""
    for request in requests:
        if request == b"fail":
            context.abort(grpc.StatusCode.ABORTED, "as asked")
        yield request.upper()


def main() -> None:
    """Serve until standard input ends."""
    server = grpc.server(ThreadPoolExecutor(max_workers=32))
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Duplex": grpc.stream_stream_rpc_method_handler(duplex),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
