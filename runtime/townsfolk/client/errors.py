"""What can go wrong, one class a kind; the message is the runtime's and says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio

from townsfolk.v1.dialogue_pb2 import ErrorCode, SessionError


class TownsfolkError(Exception):
    """Base of everything the client raises."""


class InvalidArgumentError(TownsfolkError, ValueError):
    """A value is not allowed; the message names the field and the allowed range."""


class NotFoundError(TownsfolkError, LookupError):
    """A session, turn or lore id does not exist in the runtime."""


class AlreadyExistsError(TownsfolkError):
    """A session id or turn id is taken."""


class FailedPreconditionError(TownsfolkError):
    """Not possible in this state; the message says what is needed first."""


class VersionMismatchError(FailedPreconditionError):
    """Client and runtime speak unlike contracts; the message says which is to be upgraded."""


class ResourceExhaustedError(TownsfolkError):
    """A limit of the runtime is reached; the message says which."""


class DeadlineExceededError(TownsfolkError, TimeoutError):
    """The deadline passed before the answer began, or the runtime did not say how it ended."""


class UnauthenticatedError(TownsfolkError, PermissionError):
    """The token is missing or wrong."""


class RuntimeUnavailableError(TownsfolkError, ConnectionError):
    """The runtime can't be reached or is shutting down; the next call connects again."""


class RuntimeFaultError(TownsfolkError):
    """A fault of the runtime; its log has more."""


_BY_STATUS: dict[grpc.StatusCode, type[TownsfolkError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.UNIMPLEMENTED: VersionMismatchError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: UnauthenticatedError,
    grpc.StatusCode.UNAVAILABLE: RuntimeUnavailableError,
    grpc.StatusCode.CANCELLED: RuntimeUnavailableError,
}

_BY_EVENT: dict[int, type[TownsfolkError]] = {
    ErrorCode.ERROR_CODE_INVALID_ARGUMENT: InvalidArgumentError,
    ErrorCode.ERROR_CODE_NOT_FOUND: NotFoundError,
    ErrorCode.ERROR_CODE_ALREADY_EXISTS: AlreadyExistsError,
    ErrorCode.ERROR_CODE_FAILED_PRECONDITION: FailedPreconditionError,
    ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED: ResourceExhaustedError,
    ErrorCode.ERROR_CODE_DEADLINE_EXCEEDED: DeadlineExceededError,
}


def from_rpc(error: grpc.aio.AioRpcError) -> TownsfolkError:
    """Return the typed error of a failed call."""
    return from_status(error.code(), error.details() or "")


def from_status(code: grpc.StatusCode, details: str) -> TownsfolkError:
    """Return the typed error of a gRPC status."""
    kind = _BY_STATUS.get(code, RuntimeFaultError)
    return kind(details or f"the call ended with {code.name}")


def from_event(error: SessionError) -> TownsfolkError:
    """Return the typed error of an error event on a session's stream."""
    return _BY_EVENT.get(error.code, RuntimeFaultError)(error.message)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Let what gRPC raises leave as a `TownsfolkError`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
        raise RuntimeUnavailableError("the connection was closed") from error
    except asyncio.CancelledError:
        # gRPC cancels whoever waits when a call or its channel is closed; a task's own
        # cancellation is none of its errors.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeUnavailableError("the connection was closed") from None
