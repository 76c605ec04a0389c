"""Errors in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

import grpc
from pydantic import ValidationError

from townsfolk.dialogue.errors import InvalidFieldError, UnsupportedTemplateError
from townsfolk.engine.errors import InvalidPromptError, PromptTooLongError
from townsfolk.grammar import InvalidGrammarError
from townsfolk.sampling.params import InvalidSamplingError
from townsfolk.service.errors import status_of

_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
}
# Parameters of the sampler by the names that they have here.
_PARAMS = {"max_new_tokens": "max_tokens", "logprobs": "top_logprobs"}
_FIRST_FAULT = 500


class ApiError(Exception):
    """A request that ends with an HTTP status and `{"error": {...}}`."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        """Remember status, message, the parameter at fault, and a name for the kind of error."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        kind = "server_error" if self.status >= _FIRST_FAULT else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        fields = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": fields}


def unsupported(param: str, why: str) -> ApiError:
    """Return the refusal of a parameter that the runtime does not have."""
    return ApiError(400, f"{param}: {why}", param=param, code="unsupported_parameter")


def invalid(param: str, why: str) -> ApiError:
    """Return the refusal of a parameter's value."""
    return ApiError(400, f"{param}: {why}", param=param, code="invalid_value")


def api_error(error: Exception, subject: str) -> ApiError:
    """Return what a client is told of an error; `subject`: the parameter that is answered."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ValidationError):
        return _invalid(error)
    code, message = status_of(error)
    param: str | None = None
    name: str | None = None
    if isinstance(error, InvalidSamplingError):
        field = error.field_name.split(" ")[0].split("[")[0]
        param, name = _PARAMS.get(field, field), "invalid_value"
        message = message.replace(field, param, 1)
    elif isinstance(error, InvalidGrammarError):
        param, name = "response_format", "invalid_value"
    elif isinstance(error, PromptTooLongError | InvalidFieldError):
        param, name = subject, "context_length_exceeded"
    elif isinstance(error, InvalidPromptError):
        param, name = subject, "invalid_value"
    elif isinstance(error, UnsupportedTemplateError):
        return ApiError(400, f"{subject}: {error}", param=subject, code="invalid_value")
    return ApiError(_STATUSES.get(code, 500), message, param=param, code=name)


def _invalid(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = ""
    place = first["loc"]
    for part in place[:1] if place[:1] == ("logit_bias",) else place:  # its keys are the caller's
        param += f"[{part}]" if isinstance(part, int) else f".{part}" if param else part
    if first["type"] == "extra_forbidden":
        message, code = f"{param}: this runtime knows no such parameter", "unknown_parameter"
    elif first["type"] == "missing":
        message, code = f"{param}: is missing", "missing_required_parameter"
    else:
        text = first["msg"].removeprefix("Value error, ")
        message, code = (f"{param}: {text}" if param else f"the body: {text}"), "invalid_value"
    return ApiError(400, message, param=param or None, code=code)
