"""What settings are allowed, and what the others are told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from townsfolk.service.settings import ServiceSettings, dial_address, is_loopback


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "0.0.0.0"}, "auth_token"),
        ({"host": "::"}, "auth_token"),
        ({"host": "192.168.1.5"}, "auth_token"),
        ({"host": "game.example"}, "auth_token"),
        ({"host": "0.0.0.0", "auth_token": ""}, "auth_token"),
        ({"host": "0.0.0.0", "auth_token": "", "ready_file": "r"}, "auth_token"),
        ({"host": "0.0.0.0", "auth_token": "s3cret!"}, "TLS.*allow_plaintext"),
        ({"host": "0.0.0.0", "ready_file": "ready.json"}, "TLS.*allow_plaintext"),
        ({"host": "0.0.0.0", "allow_plaintext": True}, "auth_token"),
        ({"auth_token": "a", "auth_token_file": "token"}, "one of them"),
        ({"web_origins": ("*",)}, "web_origins.*auth_token"),
        ({"web_origins": ("https://game.example", "*"), "auth_token": ""}, "web_origins"),
        ({"host": ""}, "host"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"auth_token": "with space"}, "printable"),
        ({"auth_token": "naïve"}, "printable"),
        ({"tls_certificate": "c.pem"}, "both or neither"),
        ({"tls_key": "k.pem"}, "both or neither"),
        ({"web_origins": ("game.example",)}, "scheme://host"),
        ({"web_origins": ("https://game.example/page",)}, "scheme://host"),
        ({"web_origins": ("https://game.example/",)}, "scheme://host"),
        ({"max_message_bytes": 100}, "max_message_bytes"),
        ({"exit_with_parent": 0}, "exit_with_parent"),
        ({"log_format": "xml"}, "log_format"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_refused_and_why(fields, says):
    with pytest.raises(ValidationError, match=says):
        ServiceSettings.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"host": "localhost"},
        {"host": "::1"},
        {"host": "127.8.8.8"},
        {"host": "0.0.0.0", "auth_token": "s3cret!", "allow_plaintext": True},
        {"host": "0.0.0.0", "auth_token_file": "token", "tls_key": "k", "tls_certificate": "c"},
        {"host": "0.0.0.0", "ready_file": "r", "allow_plaintext": True},  # makes a token
        {"web_origins": ("https://game.example", "http://localhost:8080")},
        {"web_origins": ("*",), "auth_token": "s3cret!"},
    ],
)
def test_what_is_allowed(fields):
    ServiceSettings.model_validate(fields)


def test_every_setting_is_described():
    for name, field in ServiceSettings.model_fields.items():
        assert field.description, name


def test_the_token_is_not_shown():
    assert "s3cret" not in repr(ServiceSettings(auth_token="s3cret"))


@pytest.mark.parametrize(
    ("host", "loopback", "dialled"),
    [
        ("127.0.0.1", True, "127.0.0.1"),
        ("localhost", True, "localhost"),
        ("::1", True, "[::1]"),
        ("[::1]", True, "[::1]"),
        ("0.0.0.0", False, "127.0.0.1"),
        ("::", False, "[::1]"),
        ("10.0.0.7", False, "10.0.0.7"),
        ("fe80::1", False, "[fe80::1]"),
        ("inn.example", False, "inn.example"),
        ("localhost.evil.example", False, "localhost.evil.example"),
    ],
)
def test_addresses(host, loopback, dialled):
    assert is_loopback(host) is loopback
    assert dial_address(host) == dialled
