"""Rotary position embedding, as `config.json` writes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, PositiveFloat, PositiveInt, ValidationError

from townsfolk.models.families.fields import DecoderFields
from townsfolk.models.spec import RopeSpec, RopeType, UnsupportedModelError

_NEEDED = {
    RopeType.LINEAR: ("factor",),
    RopeType.DYNAMIC: ("factor",),
    RopeType.LLAMA3: ("factor", "low_freq_factor", "high_freq_factor"),
    RopeType.YARN: ("factor",),
    RopeType.LONGROPE: ("short_factor", "long_factor"),
}


class RopeFields(BaseModel):
    """`rope_parameters` (transformers 5) or `rope_scaling` (before)."""

    rope_type: str = "default"
    rope_theta: PositiveFloat
    factor: PositiveFloat | None = None
    low_freq_factor: PositiveFloat | None = None
    high_freq_factor: PositiveFloat | None = None
    original_max_position_embeddings: PositiveInt | None = None
    partial_rotary_factor: PositiveFloat | None = None
    attention_factor: PositiveFloat | None = None
    mscale: PositiveFloat | None = None
    mscale_all_dim: PositiveFloat | None = None
    beta_fast: PositiveFloat | None = None
    beta_slow: PositiveFloat | None = None
    truncate: bool = True
    short_factor: tuple[PositiveFloat, ...] | None = None
    long_factor: tuple[PositiveFloat, ...] | None = None


def read_rope(
    config: DecoderFields,
    default_theta: float = 10000.0,
    *,
    fields: Mapping[str, Any] | None = None,
    is_partial: bool = False,
    original_context: int | None = None,
) -> RopeSpec:
    """Read the rotary embedding of a configuration.

    Args:
        config: the fields of the family.
        default_theta: base of the frequencies where none is given.
        fields: instead of those of `config`.
        is_partial: the family can rotate a part of each head.
        original_context: positions of the pretraining where the fields don't say.

    Raises:
        UnsupportedModelError: with the field and the reason.
    """
    # transformers 5 writes rope_parameters; before, rope_theta stood beside rope_scaling.
    given = dict(config.rope_scaling or config.rope_parameters or {} if fields is None else fields)
    if any(isinstance(value, dict) for value in given.values()):
        raise UnsupportedModelError(
            "rope_parameters differ from layer to layer, which this family does not know"
        )
    given["rope_type"] = given.get("rope_type") or given.get("type") or "default"
    given["rope_theta"] = given.get("rope_theta") or config.rope_theta or default_theta
    try:
        parsed = RopeFields.model_validate(given)
    except ValidationError as error:
        raise UnsupportedModelError(f"rope parameters are malformed: {error}") from error
    try:
        kind = RopeType(parsed.rope_type)
    except ValueError:
        raise UnsupportedModelError(
            f"rope_type is {parsed.rope_type!r}; supported are "
            + ", ".join(known.value for known in RopeType)
        ) from None
    for field in _NEEDED.get(kind, ()):
        if getattr(parsed, field) is None:
            raise UnsupportedModelError(f"rope_type {kind.value!r} needs {field!r}")
    share = parsed.partial_rotary_factor or config.partial_rotary_factor or 1.0
    if share != 1.0 and not is_partial:
        raise UnsupportedModelError(f"partial_rotary_factor is {share:g}; this family has none")
    dim = int(config.width_of_head * share)
    if dim % 2 or not 0 < dim <= config.width_of_head:
        raise UnsupportedModelError(
            f"partial_rotary_factor {share:g} rotates {dim} of {config.width_of_head} dimensions; "
            "an even number of them is needed"
        )
    original = original_context or config.max_position_embeddings
    if kind in (RopeType.LLAMA3, RopeType.YARN, RopeType.LONGROPE):
        original = parsed.original_max_position_embeddings or original
    short, long = _factors(parsed, kind, dim)
    return RopeSpec(
        dim=dim,
        theta=parsed.rope_theta,
        type=kind,
        factor=parsed.factor or 1.0,
        low_freq_factor=parsed.low_freq_factor or 1.0,
        high_freq_factor=parsed.high_freq_factor or 4.0,
        # The usual type takes no notice of it: equal ropes compare equal.
        original_context=0 if kind in (RopeType.DEFAULT, RopeType.LINEAR) else original,
        beta_fast=parsed.beta_fast or 32.0,
        beta_slow=parsed.beta_slow or 1.0,
        truncate=parsed.truncate,
        magnitude=_magnitude(parsed, kind, config.max_position_embeddings, original),
        short_factors=short,
        long_factors=long,
    )


def stretched_context(config: DecoderFields, rope: RopeSpec) -> int:
    """Return the longest sequence, with what linear and dynamic scaling stretch it to."""
    if rope.type in (RopeType.LINEAR, RopeType.DYNAMIC):
        return int(config.max_position_embeddings * rope.factor)
    return config.max_position_embeddings


def _factors(
    fields: RopeFields, kind: RopeType, dim: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if kind is not RopeType.LONGROPE:
        return (), ()
    assert fields.short_factor is not None
    assert fields.long_factor is not None
    for name in ("short_factor", "long_factor"):
        found = len(getattr(fields, name))
        if found != dim // 2:
            raise UnsupportedModelError(f"{name} has {found} entries; {dim // 2} are needed")
    return fields.short_factor, fields.long_factor


def _magnitude(fields: RopeFields, kind: RopeType, context: int, original: int) -> float:
    """Return the factor of cosines and sines, by how many times longer the context has become."""
    if kind not in (RopeType.YARN, RopeType.LONGROPE):
        return 1.0
    if fields.attention_factor is not None:
        return fields.attention_factor
    factor = fields.factor or context / original
    if factor <= 1.0:
        return 1.0
    if kind is RopeType.LONGROPE:
        return math.sqrt(1.0 + math.log(factor) / math.log(original))
    if fields.mscale and fields.mscale_all_dim:
        return _mscale(factor, fields.mscale) / _mscale(factor, fields.mscale_all_dim)
    return _mscale(factor, 1.0)


def _mscale(factor: float, scale: float) -> float:
    return 0.1 * scale * math.log(factor) + 1.0
