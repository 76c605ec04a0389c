"""What a recording leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from townsfolk.inspector.redaction import REMOVED, Redaction

TOKEN = "b0x-of-Odd+letters/9="


@pytest.mark.parametrize(
    "text",
    [
        f"the token {TOKEN} was refused",
        f"authorization: Bearer {TOKEN}x1",
        "Bearer abcdefgh12345678",
        "use hf_abcdefghij123 here",
        "sk-proj-abcdefgh123",
        "--auth-token=abcdefgh",
        'api_key: "abcdefgh"',
        '{"token": "abcdefgh"}',
        "PASSWORD = hunter22",
    ],
)
def test_secrets_are_taken_out_wherever_they_stand(text):
    redacted = json.dumps(Redaction([TOKEN]).apply({"deep": [{"er": text}], text: 1}))
    assert REMOVED in redacted
    for secret in (TOKEN, "abcdefgh", "hunter22"):
        assert secret not in redacted


@pytest.mark.parametrize(
    "text",
    ["The token of my love.", "A secret door!", "He tokened it", "sk-ating", "3 tokens: a"],
)
def test_ordinary_words_stay(text):
    assert Redaction([TOKEN]).apply(text) == text


def test_the_home_folder_is_not_named():
    assert Redaction().apply(f"{Path.home()}/models/x") == "~/models/x"


def test_without_text_nothing_that_people_wrote_is_left():
    seen = {
        "summary": {"session_id": "anna's save 3", "persona_name": "Mira", "priority": 2},
        "seen": {
            "turns": [{"turn_id": "q1", "asked_unix_ms": "1700000000000", "state": "FINISHED"}],
            "prompt": {"turn_id": "q1", "token_ids": [1, 2, 3], "computed_text": "You are Mira."},
            "errors": [{"turn_id": "q2", "code": "INTERNAL", "message": "no line after 'hey'"}],
        },
    }
    redacted = Redaction(keep_text=False).apply(seen)
    assert redacted == {
        "summary": {"session_id": "session_id 1", "persona_name": "[4 characters]", "priority": 2},
        "seen": {
            "turns": [
                {"turn_id": "turn_id 2", "asked_unix_ms": "1700000000000", "state": "FINISHED"}
            ],
            "prompt": {
                "turn_id": "turn_id 2",
                "token_ids": "[3 tokens]",
                "computed_text": "[13 characters]",
            },
            "errors": [{"turn_id": "turn_id 3", "code": "INTERNAL", "message": "[19 characters]"}],
        },
    }
