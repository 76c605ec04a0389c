"""Reads the files around a tokenizer in a Hugging Face directory: plain facts, no behaviour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class TokenizerError(ValueError):
    """The tokenizer's files are missing, broken or of a kind that is not supported."""


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """What a model directory says about its tokenizer."""

    spec: dict[str, Any]
    """`tokenizer.json`, parsed."""
    settings: Mapping[str, Any]
    """`tokenizer_config.json`; empty when there is none."""
    config: Mapping[str, Any]
    """`config.json`; empty when there is none."""
    generation: Mapping[str, Any]
    """`generation_config.json`; empty when there is none."""
    chat_template: str | None
    """`chat_template.jinja`, else the default template of `tokenizer_config.json`."""

    @classmethod
    def read(cls, directory: Path) -> TokenizerFiles:
        """Reads all of it.

        Raises:
            TokenizerError: there is no `tokenizer.json`, or a file is not what it should be.
        """
        spec_path = directory / "tokenizer.json"
        if not spec_path.is_file():
            hint = (
                " There is a tokenizer.model: load it with transformers' AutoTokenizer and call "
                "save_pretrained to get a tokenizer.json."
                if (directory / "tokenizer.model").is_file()
                else " Pass a Hugging Face model directory."
            )
            raise TokenizerError(f"no tokenizer.json in {directory}.{hint}")
        settings = _read_object(directory / "tokenizer_config.json")
        return cls(
            spec=_read_object(spec_path),
            settings=settings,
            config=_read_object(directory / "config.json"),
            generation=_read_object(directory / "generation_config.json"),
            chat_template=_read_chat_template(directory, settings),
        )


def token_text(value: Any) -> str | None:
    """The text of a token written as `"<s>"` or as `{"content": "<s>", ...}`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def token_ids(value: Any, where: str) -> list[int]:
    """Ids written as a number, a list of numbers or null.

    Raises:
        TokenizerError: it is anything else; `where` names the field in the message.
    """
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if any(not isinstance(i, int) or isinstance(i, bool) or i < 0 for i in ids):
        raise TokenizerError(f"{where} must be a token id or a list of them, not {value!r}")
    return ids


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TokenizerError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise TokenizerError(f"{path} must hold a JSON object, not {type(value).__name__}")
    return value


def _read_chat_template(directory: Path, settings: Mapping[str, Any]) -> str | None:
    path = directory / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):  # several named templates, as Hugging Face writes them
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, Mapping)}
        template = named.get("default")
    if template is not None and not isinstance(template, str):
        raise TokenizerError(
            f"chat_template in {directory / 'tokenizer_config.json'} must be text or a list of "
            f'{{"name", "template"}} objects'
        )
    return template
