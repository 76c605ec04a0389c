"""What attendant and host say to each other: JSON, a line each, on a connection that is the lease.

The attendant says hello with a challenge; the host answers it and asks one of its own. So neither
talks to another program that has got hold of a port, and the token itself never travels. Then the
attendant sends what its game wants of the service, and the host what there is to know: log lines,
when and where it serves, why it ended. The lease lasts as long as the connection.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Any

from townsfolk.service.settings import ServiceSettings

LINE_LIMIT = 1 << 20
"""The longest line, in bytes."""
HELLO, PROOF, CHALLENGE, SETTINGS = "hello", "proof", "challenge", "settings"
HELD, LOG, READY, ENDED, END = "held", "log", "ready", "ended", "end"
# These concern the attendant's own process.
_OWN = {"share", "exit_with_parent", "exit_with_stdin", "log_format", "log_level"}
_PATHS = ("auth_token_file", "tls_certificate", "tls_key", "record_play")


def line(**message: Any) -> bytes:
    """Return a message as it travels."""
    return json.dumps(message).encode() + b"\n"


def challenge() -> str:
    """Return what nobody has been asked before."""
    return secrets.token_hex(16)


def proof(token: str, challenge: object, who: str) -> str:
    """Return how somebody ("attendant" or "host") who knows the token answers a challenge."""
    return hmac.new(token.encode(), f"{who}:{challenge}".encode(), hashlib.sha256).hexdigest()


def is_proof(given: object, token: str, challenge: str, who: str) -> bool:
    """Return whether an answer is right."""
    return hmac.compare_digest(str(given).encode(), proof(token, challenge, who).encode())


def settings_told(settings: ServiceSettings) -> dict[str, Any]:
    """Return what a game wants of the service, as a message has it; the host has another folder."""
    told = settings.model_dump(mode="json", exclude=_OWN | {"auth_token"}, exclude_none=True)
    for name in _PATHS:
        if name in told:
            told[name] = str(Path(told[name]).absolute())
    if settings.auth_token is not None:
        told["auth_token"] = settings.auth_token.get_secret_value()
    return told
