"""What `adapter_config.json` of PEFT says of a low-rank adapter."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from townsfolk.checkpoint.store import CheckpointError

# Fields that ask for another computation, or for another base, and why they are refused.
_REFUSED = {
    "use_dora": "DoRA's weights depend on those of the model, which is not supported",
    "modules_to_save": "the adapter replaces whole modules, which is not supported",
    "lora_bias": "the adapter adds biases, which is not supported",
    "trainable_token_indices": "the adapter replaces rows of the embedding, which is not supported",
    "target_parameters": "the adapter changes parameters that are no module's weight, which is not "
    "supported",
    "layer_replication": "the adapter has layers that the model has not, which is not supported",
    "alora_invocation_tokens": "the adapter begins within a prompt (aLoRA), which is not supported",
    "arrow_config": "the adapter chooses among others (Arrow), which is not supported",
    "use_bdlora": "block-diagonal adapters are not supported",
    "use_qalora": "QA-LoRA pools what comes in, which is not supported",
    "monteclora_config": "MonteCLoRA draws its weights, which is not supported",
    "kasa_config": "KaSA changes the weights of the model itself, which is not supported",
    "velora_config": "VeLoRA is not supported",
}
# Ways of beginning that leave the model's own weights as they are; the others take from them what
# they give to the adapter (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA).
_HARMLESS_BEGINNINGS = (True, False, None, "gaussian", "eva", "orthogonal")

_MOST_REPEATS = 6
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEAT = re.compile(r"(?<!\()(?:[*+?]|\{[^}]*\})[?+]?")


class AdapterError(CheckpointError):
    """The adapter can't be used, and the message says exactly why."""


class AdapterConfig(BaseModel):
    """How an adapter was made, in PEFT's words; patterns are regular expressions of names' ends."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    r: PositiveInt = Field(default=8, description="Rank of the modules that no pattern names.")
    lora_alpha: float = Field(
        default=8.0, allow_inf_nan=False, description="Scale times rank, likewise."
    )
    target_modules: str | tuple[str, ...] | None = Field(
        default=None,
        description="The adapted modules: ends of their names, or one pattern of whole names.",
    )
    exclude_modules: str | tuple[str, ...] | None = Field(
        default=None, description="Modules that are not adapted in spite of that, likewise."
    )
    use_rslora: bool = Field(
        default=False, description="Whether the scale is alpha by the root of the rank."
    )
    rank_pattern: dict[str, PositiveInt] = Field(
        default_factory=dict, description="Ranks by pattern."
    )
    alpha_pattern: dict[str, float] = Field(default_factory=dict, description="Alphas by pattern.")
    fan_in_fan_out: bool = Field(
        default=False, description="Whether the model stores weights as GPT-2's Conv1D does."
    )
    lora_dropout: float = Field(default=0.0, description="Of the training; of no concern later.")
    base_model_name_or_path: str | None = Field(
        default=None, description="The model it was trained on."
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read the contents of an `adapter_config.json`.

        Raises:
            AdapterError: it is malformed, or asks for what is not supported.
        """
        kind = raw.get("peft_type")
        if kind != "LORA":
            raise AdapterError(f"peft_type is {kind!r}; supported is 'LORA'")
        for field, reason in _REFUSED.items():
            if raw.get(field):
                raise AdapterError(f"{field} is {raw[field]!r}: {reason}")
        if raw.get("bias", "none") != "none":
            raise AdapterError(
                f"bias is {raw['bias']!r}: the adapter replaces biases of the model, which is not "
                "supported"
            )
        beginning = raw.get("init_lora_weights")
        if beginning not in _HARMLESS_BEGINNINGS:
            raise AdapterError(
                f"init_lora_weights is {beginning!r}: such an adapter fits a model with changed "
                "weights. PEFT's save_pretrained makes one for the model itself with "
                "path_initial_model_for_weight_conversion"
            )
        given = {name: value for name, value in raw.items() if value is not None}
        try:
            config = cls.model_validate(given)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise AdapterError(f"adapter_config.json is malformed: {problems}") from error
        whole = [each for each in (config.target_modules, config.exclude_modules) if each]
        texts = [each for each in whole if isinstance(each, str)]
        for pattern in (*texts, *config.rank_pattern, *config.alpha_pattern):
            _check_pattern(pattern)
        return config

    def to_json(self) -> dict[str, Any]:
        """Return the contents of an `adapter_config.json`."""
        fields = self.model_dump(mode="json")
        return {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", **fields}

    def targets(self, name: str) -> bool:
        """Return whether a module of this name is adapted; where nothing is said, all are."""
        if self.exclude_modules and _names(self.exclude_modules, name):
            return False
        return self.target_modules is None or _names(self.target_modules, name)

    def rank_of(self, name: str) -> int:
        """Return the rank of a module's weights."""
        return self.rank_pattern.get(_first_match(self.rank_pattern, name) or "", self.r)

    def scale_of(self, name: str) -> float:
        """Return the factor of a module's product."""
        found = _first_match(self.alpha_pattern, name) or ""
        alpha, rank = self.alpha_pattern.get(found, self.lora_alpha), self.rank_of(name)
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank


def _names(given: str | tuple[str, ...], name: str) -> bool:
    """Return whether a list of ends, or a pattern, names a module."""
    if isinstance(given, str):
        return re.fullmatch(given, name) is not None
    return any(name == end or name.endswith(f".{end}") for end in given)


def _first_match(patterns: Iterable[str], name: str) -> str | None:
    """Return the first pattern that is a name, or the end of one behind a dot."""
    return next((each for each in patterns if re.match(rf"(.*\.)?({each})$", name)), None)


def _check_pattern(pattern: str) -> None:
    """Refuse patterns that are none, or that could take for ever to compare with a name."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise AdapterError(
            f"adapter_config.json holds {pattern!r}, which is no regular expression: {error}"
        ) from error
    if _REPEATED_GROUP.search(pattern) or len(_REPEAT.findall(pattern)) > _MOST_REPEATS:
        raise AdapterError(
            f"adapter_config.json holds the pattern {pattern[:80]!r}: a group that is repeated, or "
            f"more than {_MOST_REPEATS} repeats, could take for ever to compare. List the names "
            "of the modules instead"
        )
