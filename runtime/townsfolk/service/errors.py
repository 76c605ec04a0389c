"""Typed errors of the rooms below, as gRPC statuses and as error events on a session's stream."""

from __future__ import annotations

import grpc
from google.protobuf.message import Message

from townsfolk.dialogue import errors as dialogue
from townsfolk.engine import errors as engine
from townsfolk.grammar import GrammarFailedError, InvalidGrammarError
from townsfolk.sampling.params import InvalidSamplingError
from townsfolk.v1.dialogue_pb2 import ErrorCode


class InvalidRequestError(ValueError):
    """A request lacks a field, or one of its fields is not allowed; the message names it."""


class UnavailableError(Exception):
    """The runtime takes no such calls now; the message says why."""


class StreamOrderError(Exception):
    """A request came at the wrong place in a stream; the message says what comes first."""


class VersionError(Exception):
    """The client's version of the contract is no match; the message says who is to be upgraded."""


class UnknownFieldsError(VersionError):
    """A request says more than this runtime understands."""

    def __init__(self, message: str, request: Message) -> None:
        """Keep what is understood of the request."""
        super().__init__(message)
        self.request = request


Code = grpc.StatusCode

# The first class that an error is an instance of tells its status.
_CODES: tuple[tuple[type[Exception], Code], ...] = (
    (UnavailableError, Code.UNAVAILABLE),
    (StreamOrderError, Code.FAILED_PRECONDITION),
    (VersionError, Code.FAILED_PRECONDITION),
    (InvalidRequestError, Code.INVALID_ARGUMENT),
    (InvalidSamplingError, Code.INVALID_ARGUMENT),
    (InvalidGrammarError, Code.INVALID_ARGUMENT),
    (GrammarFailedError, Code.RESOURCE_EXHAUSTED),
    (engine.InvalidPromptError, Code.INVALID_ARGUMENT),
    (engine.EngineOverloadedError, Code.RESOURCE_EXHAUSTED),
    (engine.UnreadLimitError, Code.RESOURCE_EXHAUSTED),
    (engine.DeadlineExceededError, Code.DEADLINE_EXCEEDED),
    (engine.EngineClosedError, Code.UNAVAILABLE),
    (engine.EngineFailedError, Code.UNAVAILABLE),
    (engine.ModelReloadError, Code.UNAVAILABLE),
    (engine.ModelStaysError, Code.FAILED_PRECONDITION),
    (engine.TooManyReportersError, Code.RESOURCE_EXHAUSTED),
    (engine.AdapterNotFoundError, Code.NOT_FOUND),
    (engine.NoAdaptersError, Code.FAILED_PRECONDITION),
    (engine.AdapterMemoryError, Code.RESOURCE_EXHAUSTED),
    (engine.UnusableAdapterError, Code.FAILED_PRECONDITION),
    (dialogue.InvalidFieldError, Code.INVALID_ARGUMENT),
    (dialogue.NotFoundError, Code.NOT_FOUND),
    (dialogue.AlreadyExistsError, Code.ALREADY_EXISTS),
    (dialogue.LimitReachedError, Code.RESOURCE_EXHAUSTED),
    (dialogue.SessionClosedError, Code.NOT_FOUND),
    (dialogue.NotNowError, Code.FAILED_PRECONDITION),
)

_EVENT_CODES = {
    Code.INVALID_ARGUMENT: ErrorCode.ERROR_CODE_INVALID_ARGUMENT,
    Code.NOT_FOUND: ErrorCode.ERROR_CODE_NOT_FOUND,
    Code.ALREADY_EXISTS: ErrorCode.ERROR_CODE_ALREADY_EXISTS,
    Code.RESOURCE_EXHAUSTED: ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED,
    Code.FAILED_PRECONDITION: ErrorCode.ERROR_CODE_FAILED_PRECONDITION,
    Code.UNAVAILABLE: ErrorCode.ERROR_CODE_FAILED_PRECONDITION,
    Code.DEADLINE_EXCEEDED: ErrorCode.ERROR_CODE_DEADLINE_EXCEEDED,
}


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Return the status and the message that an error ends a call with."""
    return status_of_kind(type(error), str(error))


def status_of_kind(kind: type[Exception], message: str) -> tuple[grpc.StatusCode, str]:
    """Return `status_of` an error of this kind, which need not be there."""
    for each, code in _CODES:
        if issubclass(kind, each):
            return code, message
    return Code.INTERNAL, "a fault of the runtime; its log has more"


def event_code_of(error: Exception) -> tuple[ErrorCode, str]:
    """Return the code and the message of an error event, which the session survives."""
    code, message = status_of(error)
    return _EVENT_CODES.get(code, ErrorCode.ERROR_CODE_INTERNAL), message


def is_fault(error: Exception) -> bool:
    """Return whether an error is the runtime's own, to be looked into."""
    return status_of(error)[0] is Code.INTERNAL
