"""What must not leave the machine with a bug report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REMOVED = "[removed]"
# What keys of common services look like, and what stands behind a word for a secret.
_SECRETS = re.compile(
    r"\b(?:hf_|sk-|ghp_|github_pat_|xox[abp]-|AKIA)[\w-]{8,}"
    r"|(?i:\bbearer\s+)[\w.~+/=-]{8,}"
    r"|(?i:(?:\b|[-_])(?:auth[-_]?token|token|api[-_]?key|password|secret)\b[\"']?\s*[=:]\s*)"
    r"[\"']?[^\s\"',;]{4,}"
)
# Texts under these names are no words of players or writers.
_PLAIN = frozenset(
    {
        "code", "device", "dtype", "finish_reason", "kind", "method", "model_state",
        "overflow_policy", "policy", "state", "version",
    }
)  # fmt: skip
# These name things that must be told apart.
_NAMES = frozenset({"session_id", "turn_id", "current_turn_id"})
# Numbers that spell text.
_SPELLED = frozenset({"token_ids"})
# What 64-bit numbers are in protobuf's JSON.
_NUMBER = re.compile(r"-?\d{1,20}")


class Redaction:
    """Takes secrets out of plain values; on request all text that people wrote, too."""

    def __init__(self, secrets: Iterable[str] = (), *, keep_text: bool = True) -> None:
        """Take out these secrets, whatever looks like one, and where this user's home is."""
        self._secrets = [secret for secret in secrets if secret]
        self._home = str(Path.home())
        self._keep_text = keep_text
        self._numbers: dict[str, int] = {}

    def apply(self, value: Any, name: str = "") -> Any:
        """Return a value of JSON without what must not leave."""
        if isinstance(value, dict):
            return {self._cleaned(key): self.apply(each, key) for key, each in value.items()}
        if isinstance(value, list):
            if name in _SPELLED and not self._keep_text:
                return f"[{len(value)} tokens]"
            return [self.apply(each, name) for each in value]
        return self._text(value, name) if isinstance(value, str) else value

    def _text(self, text: str, name: str) -> str:
        if self._keep_text or name in _PLAIN or _NUMBER.fullmatch(text):
            return self._cleaned(text)
        if name in _NAMES and text:
            return f"{name.removeprefix('current_')} {self._number(text)}"
        return f"[{len(text)} characters]"

    def _number(self, text: str) -> int:
        """Return the same for the same text: what belongs together stays together."""
        return self._numbers.setdefault(text, len(self._numbers) + 1)

    def _cleaned(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REMOVED)
        if len(self._home) > 1:
            text = text.replace(self._home, "~")
        return _SECRETS.sub(REMOVED, text)
