"""What `townsfolk serve` can be told about the service; the model's settings are in config.py."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from townsfolk.dialogue.play_folder import PlayFolder

MIB = 1024 * 1024


class ServiceSettings(BaseModel):
    """Where the runtime listens, whom it lets in, how much it takes, and when it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on, for gRPC and gRPC-Web."
    )
    port: int = Field(50151, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    auth_token: SecretStr | None = Field(
        None,
        description="Token every call must carry. Others on this machine can read it in the list "
        "of processes: auth_token_file and the environment variable TOWNSFOLK_AUTH_TOKEN keep it "
        "from them. Not set: a random one when ready_file is set, as whoever launched the runtime "
        "reads it there; else none. Empty: none.",
    )
    auth_token_file: Path | None = Field(
        None, description="File that holds the token and nothing else, instead of auth_token."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the certificate chain; with tls_key, both ports speak TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    allow_plaintext: bool = Field(
        False,
        description="Let other machines call without TLS: whoever is on the way can read the token "
        "and all that is said. For a network you trust, or behind a proxy that speaks TLS.",
    )

    web_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of gRPC-Web and OpenAI's interface (HTTP/1.1); 0 takes a free one.",
    )
    web_origins: tuple[str, ...] = Field(
        (),
        description="Web pages that may call the web port, such as https://game.example; "
        "'*' allows all. Callers that are no web pages send no origin and need none.",
    )
    web_max_connections: int = Field(
        512,
        ge=1,
        le=65536,
        description="The most gRPC-Web connections at once; fewer where the process may have few "
        "files open.",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Prometheus port; 0 takes a free one."
    )
    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on for Prometheus; no token."
    )

    ready_file: Path | None = Field(
        None,
        description="JSON file that says address, ports, token and pid once the model serves; - "
        "is a line of standard output.",
    )
    exit_with_parent: int | None = Field(
        None, ge=1, description="End when the process with this id ends."
    )
    exit_with_stdin: bool = Field(False, description="End when standard input is closed.")
    share: bool = Field(
        False,
        description="Share one runtime with other games of this user that share, of the same model "
        "and the same settings of the engine; start it if there is none. It ends with the last of "
        "them. Each has its own port, token, sessions and lore.",
    )
    shutdown_grace_s: float = Field(
        5.0, ge=0, le=600, description="Seconds that answers under way get to finish at the end."
    )

    record_play: Path | None = Field(
        None,
        description="Folder in which each conversation that has ended is kept, to train on: "
        "personas, lore, what was said and done, with the names of those who spoke. Not set: "
        "nowhere. Tell your players, and ask them; a session is left out by off_the_record.",
    )
    record_play_mib: int = Field(
        256, ge=1, le=1048576, description="The most that folder holds, in MiB; then none is added."
    )

    max_message_bytes: int = Field(
        4 * MIB,
        ge=1024,
        le=64 * MIB,
        description="The largest request, in bytes; three quarters of it can be a transcript.",
    )
    max_sessions: int = Field(
        256, ge=1, le=65536, description="The most sessions that can be open at once."
    )
    session_idle_timeout_s: float = Field(
        3600.0,
        gt=0,
        description="Seconds after which a session that no stream holds and nobody speaks to ends.",
    )
    thinking: bool = Field(
        False,
        description="Let a model that can think before it speaks; thoughts are never shown, but "
        "take time and tokens.",
    )
    keepalive_s: float = Field(
        20.0, ge=1, le=3600, description="Seconds of silence after which a client is pinged."
    )
    keepalive_timeout_s: float = Field(
        10.0, ge=1, le=3600, description="Seconds a pinged client has to answer; then it is gone."
    )

    log_format: Literal["text", "json"] = Field("text", description="How log lines are written.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to log; debug has every call."
    )

    @field_validator("auth_token")
    @classmethod
    def _token_is_printable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            check_token(token.get_secret_value())
        return token

    @field_validator("web_origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if origin != "*" and origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(
                    f"{origin!r} is no origin: write scheme://host or scheme://host:port, or *"
                )
        return origins

    @model_validator(mode="after")
    def _is_safe(self) -> ServiceSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or neither")
        if self.auth_token is not None and self.auth_token_file is not None:
            raise ValueError("auth_token and auth_token_file both give a token: set one of them")
        if not is_loopback(self.host) and not self.has_token:
            raise ValueError(
                f"host {self.host} can be reached from other machines: set auth_token_file or "
                "auth_token, or listen on 127.0.0.1"
            )
        if not (is_loopback(self.host) or self.tls_key is not None or self.allow_plaintext):
            raise ValueError(
                f"host {self.host} can be reached from other machines, and without TLS the token "
                "and all that is said travel in the clear: set tls_certificate and tls_key, or "
                "allow_plaintext if you trust the network, or listen on 127.0.0.1"
            )
        if "*" in self.web_origins and not self.has_token:
            raise ValueError(
                "web_origins * lets every web page that anybody opens on this machine call: name "
                "the pages' origins, or set auth_token_file or auth_token"
            )
        return self

    @property
    def play_folder(self) -> PlayFolder | None:
        """Where conversations are kept; None for nowhere."""
        if self.record_play is None:
            return None
        return PlayFolder(self.record_play, self.record_play_mib)

    @property
    def has_token(self) -> bool:
        """Whether calls must carry a token."""
        if self.auth_token is None:
            return self.auth_token_file is not None or self.ready_file is not None
        return bool(self.auth_token.get_secret_value())


def check_token(token: str) -> None:
    """Raise ValueError when a token can't travel in a header."""
    if not all("!" <= character <= "~" for character in token):
        raise ValueError("must be printable ASCII without spaces, as it travels in a header")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # a name: it may resolve to anything


def dial_address(host: str) -> str:
    """Return the address by which this machine reaches what listens on `host`, for `host:port`."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return str(address) if address.version == 4 else f"[{address}]"
