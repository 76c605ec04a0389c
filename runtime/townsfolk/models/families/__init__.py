"""Decoder families: each turns a `config.json` into a `DecoderSpec` and names its tensors.

A family is a module with the names that `config.json` may give it and a function `read`, which
raises `UnsupportedModelError` with the field and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from townsfolk.models.families import (
    gemma3,
    gpt2,
    granite,
    llama,
    mistral,
    phi3,
    qwen2,
    qwen3,
    smollm3,
)
from townsfolk.models.families.fields import ids
from townsfolk.models.names import Architecture
from townsfolk.models.spec import UnsupportedModelError

__all__ = ["FAMILIES", "read_config"]

FAMILIES: tuple[ModuleType, ...] = (
    llama, mistral, qwen2, qwen3, gemma3, smollm3, granite, phi3, gpt2,
)  # fmt: skip


def read_config(
    raw: Mapping[str, Any], generation: Mapping[str, Any] | None = None
) -> Architecture:
    """Translate the contents of a `config.json`, in the style of transformers 4 or 5.

    Args:
        raw: the contents of `config.json`.
        generation: the contents of `generation_config.json`; its end-of-sequence ids are added.

    Raises:
        UnsupportedModelError: with the field and the reason.
    """
    found: Architecture = _family(raw).read(raw)
    ends = found.spec.eos_ids | ids((generation or {}).get("eos_token_id"))
    return replace(found, spec=replace(found.spec, eos_ids=ends))


def _family(raw: Mapping[str, Any]) -> ModuleType:
    named, model_type = raw.get("architectures") or [], raw.get("model_type")
    for family in FAMILIES:
        if any(name in family.ARCHITECTURES for name in named):
            return family
        if not named and model_type in family.MODEL_TYPES:
            return family
    found = ", ".join(map(str, named)) or model_type or "no architecture at all"
    known = ", ".join(name for family in FAMILIES for name in family.ARCHITECTURES)
    raise UnsupportedModelError(f"config.json names {found}; supported are {known}")
