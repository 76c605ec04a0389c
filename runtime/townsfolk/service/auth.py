"""Who may call: a bearer token, asked of every call except health checks."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

OPEN_SERVICE = "/grpc.health.v1.Health/"


def refusal(code: grpc.StatusCode, message: str) -> grpc.RpcMethodHandler[Any, Any]:
    """Return a handler that ends any kind of call with a status, without reading its requests."""

    async def refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(code, message)

    return grpc.stream_stream_rpc_method_handler(refuse)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without the token. The comparison takes the same time wherever it differs."""

    def __init__(self, token: str) -> None:
        """Ask for `authorization: Bearer <token>`."""
        self._expected = f"Bearer {token}".encode()
        self._refusal = refusal(
            grpc.StatusCode.UNAUTHENTICATED,
            'send the runtime\'s token as metadata: "authorization: Bearer TOKEN"; the token is '
            "what --auth-token or --auth-token-file says, or stands in the ready file",
        )

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Let the call through, or answer UNAUTHENTICATED."""
        if not handler_call_details.method.startswith(OPEN_SERVICE):
            given = dict(handler_call_details.invocation_metadata).get("authorization", b"")
            given_bytes = given.encode() if isinstance(given, str) else given
            if not hmac.compare_digest(given_bytes, self._expected):
                return self._refusal
        return await continuation(handler_call_details)
