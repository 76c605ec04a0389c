"""Reads the files around a tokenizer in a Hugging Face directory: plain facts, no behaviour."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townsfolk.text.utf8 import read_text

logger = logging.getLogger(__name__)

_MORE_TEMPLATES = "additional_chat_templates"


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
    """`chat_template.jinja`, else the default template of `tokenizer_config.json`, else that of
    `chat_template.json`."""

    @classmethod
    def read(cls, directory: Path) -> TokenizerFiles:
        """Read all of it.

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
    """Return the text of a token written as `"<s>"` or as `{"content": "<s>", ...}`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def token_ids(value: Any, where: str) -> list[int]:
    """Return ids written as a number, a list of numbers or null.

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
        value = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise TokenizerError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise TokenizerError(f"{path} must hold a JSON object, not {type(value).__name__}")
    return value


def _read_chat_template(directory: Path, settings: Mapping[str, Any]) -> str | None:
    """Return the chat template, from wherever releases put it; warn where that is odd.

    Newer releases have `chat_template.jinja`; those with pictures had `chat_template.json`; others
    have it in `tokenizer_config.json`, alone or among several with names.
    """
    path = directory / "chat_template.jinja"
    if path.is_file():
        return _read_text(path)
    legacy = directory / "chat_template.json"
    template = settings.get("chat_template")
    where = directory / "tokenizer_config.json"
    if template is None and legacy.is_file():
        template, where = _read_object(legacy).get("chat_template"), legacy
        logger.warning("the chat template is that of %s; there is no other", legacy)
    named: dict[Any, Any] = {}
    if isinstance(template, list):  # several named templates, as Hugging Face writes them
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, Mapping)}
        template = named.get("default")
    elif isinstance(template, Mapping):  # chat_template.json has them so
        named, template = dict(template), template.get("default")
    named |= dict.fromkeys(path.stem for path in (directory / _MORE_TEMPLATES).glob("*.jinja"))
    if template is None and named:
        logger.warning(
            "%s has chat templates (%s) but none named default: the model is prompted as a base "
            "model, with a script. Put the one to use into chat_template.jinja",
            directory,
            ", ".join(map(str, named)),
        )
    if template is not None and not isinstance(template, str):
        raise TokenizerError(
            f'chat_template in {where} must be text or a list of {{"name", "template"}} objects'
        )
    return template


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except ValueError as error:
        raise TokenizerError(str(error)) from error
