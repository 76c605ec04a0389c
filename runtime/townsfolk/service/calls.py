"""What every call of the service has in common: parsing, error statuses, a log line, counters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from townsfolk.dialogue.turn_log import ErrorRecord
from townsfolk.service.auth import refusal
from townsfolk.service.errors import InvalidRequestError, VersionError, status_of
from townsfolk.service.versions import ClientVersions, check_known
from townsfolk.v1 import townsfolk_pb2

logger = logging.getLogger(__name__)

SERVICE = townsfolk_pb2.DESCRIPTOR.services_by_name["TownsfolkService"]
OWN_PATHS = "/townsfolk."
"""How the path of a call begins that is for this contract, of whatever version."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic for type checkers only
Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Any]]


class CallObserver(Protocol):
    """Learns of every call that ended."""

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """Take note: the method's name, the status code's name, and how long it took."""


def writer(context: Context) -> Callable[[Message], Awaitable[None]]:
    """Return how a streaming method sends a message.

    It waits while the client reads slowly, and once the client is gone it ends the method as if
    gRPC had cancelled it, which gRPC does only after the first write that failed.
    """

    async def write(message: Message) -> None:
        try:
            await context.write(message)
        except grpc.aio.InternalError as error:
            raise asyncio.CancelledError("the client is gone") from error

    return write


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the methods of TownsfolkService, so that they need only translate and raise."""

    def __init__(self, errors: deque[ErrorRecord], observer: CallObserver | None = None) -> None:
        """Add errors to a list, and tell the observer of every call that ends."""
        self._errors = errors
        self._observer = observer
        self._prefix = f"/{SERVICE.full_name}/"
        self._versions = ClientVersions()
        self._wrapped: dict[tuple[str, bool], Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler, wrapped; or one that refuses the client's version."""
        path = handler_call_details.method
        if not path.startswith(OWN_PATHS):
            return await continuation(handler_call_details)
        try:
            is_newer = self._versions.is_newer(handler_call_details)
        except VersionError as error:
            return refusal(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except ValueError as error:
            return refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if (path, is_newer) not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None or not path.startswith(self._prefix):
                return handler
            name = path.removeprefix(self._prefix)
            self._wrapped[path, is_newer] = self._wrap(name, handler, is_strict=is_newer)
        return self._wrapped[path, is_newer]

    def _wrap(self, name: str, handler: Handler, *, is_strict: bool) -> Handler:
        method = SERVICE.methods_by_name[name]
        parse = _parser(method.input_type.full_name, handler.request_deserializer)
        if is_strict:
            parse = _strict(parse)
        make: Any
        if method.client_streaming:
            behaviour: Any = handler.stream_stream
            make = grpc.stream_stream_rpc_method_handler
        elif method.server_streaming:
            behaviour = handler.unary_stream
            make = grpc.unary_stream_rpc_method_handler
        else:
            behaviour = handler.unary_unary
            make = grpc.unary_unary_rpc_method_handler

        async def call(request: Any, context: Context) -> Any:
            parsed = _Parsed(request, parse) if method.client_streaming else parse(request)
            return await behaviour(parsed, context)

        wrapped: Handler = make(
            self._guarded(name, call),
            request_deserializer=None,  # done in `call`, where a failure can be explained
            response_serializer=handler.response_serializer,
        )
        return wrapped

    def _guarded(self, name: str, behaviour: Behaviour) -> Behaviour:
        async def guarded(request: Any, context: Context) -> Any:
            started = time.monotonic()
            code = "CANCELLED"  # what is left when neither an answer nor an error came
            try:
                answer = await behaviour(request, context)
                code = "OK"
                return answer
            except Exception as error:
                status, message = status_of(error)
                code = status.name
                self._errors.append(ErrorRecord.of(error, method=name))
                if status is grpc.StatusCode.INTERNAL:
                    logger.exception("call failed", extra={"method": name})
                await _abort(context, status, message)
            finally:
                seconds = time.monotonic() - started
                fields = {"method": name, "code": code, "seconds": round(seconds, 4)}
                logger.debug("call ended", extra=fields)
                if self._observer is not None:
                    self._observer.call_ended(name, code, seconds)

        return guarded


async def _abort(context: Context, status: grpc.StatusCode, message: str) -> NoReturn:
    await context.abort(status, message)


Parse = Callable[[bytes], Any]


def _parser(message: str, deserialize: Parse | None) -> Parse:
    assert deserialize is not None

    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            raise InvalidRequestError(f"the request is no valid {message} message") from None

    return parse


def _strict(parse: Parse) -> Parse:
    """Return a parser that refuses what it does not understand, instead of leaving it out."""

    def parse_strictly(data: bytes) -> Any:
        request = parse(data)
        check_known(request)
        return request

    return parse_strictly


class _Parsed:
    """A stream's requests. After one that can't be parsed the next can still be asked for."""

    def __init__(self, requests: AsyncIterator[bytes], parse: Parse) -> None:
        self._requests = requests
        self._parse = parse

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return self._parse(await anext(self._requests))
