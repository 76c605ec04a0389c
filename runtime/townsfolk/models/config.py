"""What a decoder looks like, read from a Hugging Face `config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, PositiveFloat, PositiveInt, ValidationError

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_ARCHITECTURES = {"LlamaForCausalLM": "llama", "MistralForCausalLM": "mistral"}


class UnsupportedModelError(ValueError):
    """The model cannot be run, and the message says exactly why."""


class RopeType(Enum):
    """How rotary frequencies are stretched for contexts longer than those of the pretraining."""

    DEFAULT = "default"
    LINEAR = "linear"
    DYNAMIC = "dynamic"
    LLAMA3 = "llama3"


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding.

    Attributes:
        theta: base of the frequencies.
        type: how they are scaled; the fields below are read by the types that need them.
        factor: how many times longer the context becomes (linear, dynamic, llama3).
        low_freq_factor: of llama3: wavelengths above original_context / low are divided in full.
        high_freq_factor: of llama3: wavelengths below original_context / high stay as they are.
        original_context: positions of the pretraining (dynamic, llama3).
    """

    theta: float = 10000.0
    type: RopeType = RopeType.DEFAULT
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 0


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Shape of a Llama or Mistral decoder.

    Attributes:
        vocab_size: rows of the embedding.
        hidden_size: width of the residual stream.
        intermediate_size: width of the feed-forward block.
        num_layers: transformer blocks.
        num_heads: query heads.
        num_kv_heads: key and value heads; divides num_heads.
        head_dim: width of a head; need not be hidden_size / num_heads.
        rms_norm_eps: epsilon of every RMSNorm.
        rope: rotary position embedding.
        tie_embeddings: the output projection is the embedding.
        attention_bias: the q, k, v and output projections have biases.
        mlp_bias: the gate, up and down projections have biases.
        sliding_window: positions a token sees, itself included; None for all.
        context_length: longest sequence the model was made for, in tokens.
        bos_id: token that starts a text, if there is one.
        eos_ids: tokens that end one, of config.json and generation_config.json.
        dtype: of the checkpoint.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    rms_norm_eps: float = 1e-5
    rope: RopeConfig = RopeConfig()
    tie_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    sliding_window: int | None = None
    context_length: int = 2048
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()
    dtype: torch.dtype = torch.bfloat16

    @property
    def num_parameters(self) -> int:
        """Parameters of the decoder; tied embeddings are counted once."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        layer = 2 * (queries + keys) * hidden + 3 * inner * hidden + 2 * hidden
        if self.attention_bias:
            layer += queries + 2 * keys + hidden
        if self.mlp_bias:
            layer += 2 * inner + hidden
        tables = (1 if self.tie_embeddings else 2) * self.vocab_size * hidden
        return self.num_layers * layer + tables + hidden

    @classmethod
    def from_directory(cls, directory: Path) -> DecoderConfig:
        """Read `config.json` and, where there is one, `generation_config.json`.

        Raises:
            UnsupportedModelError: a file is missing or malformed, or the model has a feature that
                this engine does not implement.
        """
        raw = _read_json(directory / "config.json")
        generation = directory / "generation_config.json"
        return cls.from_hf(raw, _read_json(generation) if generation.exists() else {})

    @classmethod
    def from_hf(
        cls, raw: Mapping[str, Any], generation: Mapping[str, Any] | None = None
    ) -> DecoderConfig:
        """Translate the contents of a `config.json`, in the style of transformers 4 or 5.

        Args:
            raw: the contents of `config.json`.
            generation: the contents of `generation_config.json`; its end-of-sequence ids are added.

        Raises:
            UnsupportedModelError: with the field and the reason.
        """
        family = _family(raw)
        try:
            hf = _HfConfig.model_validate(raw)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise UnsupportedModelError(f"config.json is malformed: {problems}") from error
        kv_heads = hf.num_key_value_heads or (8 if family == "mistral" else hf.num_attention_heads)
        head_dim = hf.head_dim or hf.hidden_size // hf.num_attention_heads
        _refuse_unsupported(hf, kv_heads, head_dim)
        rope = _rope(hf)
        stretched = rope.factor if rope.type in (RopeType.LINEAR, RopeType.DYNAMIC) else 1.0
        ends = _ids(hf.eos_token_id) | _ids((generation or {}).get("eos_token_id"))
        return cls(
            vocab_size=hf.vocab_size,
            hidden_size=hf.hidden_size,
            intermediate_size=hf.intermediate_size,
            num_layers=hf.num_hidden_layers,
            num_heads=hf.num_attention_heads,
            num_kv_heads=kv_heads,
            head_dim=head_dim,
            rms_norm_eps=hf.rms_norm_eps,
            rope=rope,
            tie_embeddings=hf.tie_word_embeddings,
            attention_bias=hf.attention_bias and family == "llama",
            mlp_bias=hf.mlp_bias and family == "llama",
            sliding_window=_sliding_window(hf, family),
            context_length=int(hf.max_position_embeddings * stretched),
            bos_id=min(_ids(hf.bos_token_id), default=None),
            eos_ids=ends,
            dtype=_DTYPES[hf.dtype or hf.torch_dtype or "float32"],
        )


class _HfConfig(BaseModel):
    """The fields of `config.json` that matter here, with the defaults of transformers."""

    vocab_size: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    hidden_act: str = "silu"
    max_position_embeddings: PositiveInt = 2048
    rms_norm_eps: PositiveFloat = 1e-6
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    sliding_window: PositiveInt | None = None
    layer_types: list[str] | None = None
    rope_theta: PositiveFloat | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: float | None = None
    bos_token_id: int | list[int] | None = None
    eos_token_id: int | list[int] | None = None
    quantization_config: dict[str, Any] | None = None
    dtype: str | None = None
    torch_dtype: str | None = None


class _HfRope(BaseModel):
    """`rope_parameters` (transformers 5) or `rope_scaling` (before)."""

    rope_type: str = "default"
    rope_theta: PositiveFloat
    factor: PositiveFloat | None = None
    low_freq_factor: PositiveFloat | None = None
    high_freq_factor: PositiveFloat | None = None
    original_max_position_embeddings: PositiveInt | None = None
    partial_rotary_factor: float | None = None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnsupportedModelError(
            f"{path} does not exist; a model directory holds config.json, tokenizer.json and "
            "*.safetensors"
        ) from None
    except (OSError, ValueError) as error:
        raise UnsupportedModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(contents, dict):
        raise UnsupportedModelError(f"{path} does not hold a JSON object")
    return contents


def _family(raw: Mapping[str, Any]) -> str:
    named = raw.get("architectures") or []
    for architecture in named:
        if architecture in _ARCHITECTURES:
            return _ARCHITECTURES[architecture]
    model_type = raw.get("model_type")
    if not named and model_type in _ARCHITECTURES.values():
        return str(model_type)
    found = ", ".join(map(str, named)) or model_type or "no architecture at all"
    raise UnsupportedModelError(
        f"config.json names {found}; supported are {', '.join(_ARCHITECTURES)}"
    )


def _refuse_unsupported(hf: _HfConfig, kv_heads: int, head_dim: int) -> None:
    if hf.quantization_config is not None:
        method = hf.quantization_config.get("quant_method", "of unknown kind")
        raise UnsupportedModelError(
            f"the checkpoint is quantised ({method}); only bf16, fp16 and fp32 weights are read"
        )
    if hf.hidden_act not in ("silu", "swish"):
        raise UnsupportedModelError(f"hidden_act is {hf.hidden_act!r}; only 'silu' is supported")
    if hf.num_attention_heads % kv_heads:
        raise UnsupportedModelError(
            f"num_attention_heads ({hf.num_attention_heads}) is not a multiple of "
            f"num_key_value_heads ({kv_heads})"
        )
    if head_dim % 2:
        raise UnsupportedModelError(f"head_dim is {head_dim}; rotary embedding needs an even one")
    for field in ("dtype", "torch_dtype"):
        name = getattr(hf, field)
        if name is not None and name not in _DTYPES:
            raise UnsupportedModelError(f"{field} is {name!r}; supported are {', '.join(_DTYPES)}")


def _rope(hf: _HfConfig) -> RopeConfig:
    # transformers 5 writes rope_parameters; before, rope_theta stood beside rope_scaling.
    fields = dict(hf.rope_scaling or hf.rope_parameters or {})
    if any(isinstance(value, dict) for value in fields.values()):
        raise UnsupportedModelError("rope_parameters differ from layer to layer; not supported")
    fields.setdefault("rope_type", fields.get("type", "default"))
    fields.setdefault("rope_theta", hf.rope_theta or 10000.0)
    try:
        parsed = _HfRope.model_validate(fields)
    except ValidationError as error:
        raise UnsupportedModelError(f"rope parameters are malformed: {error}") from error
    try:
        kind = RopeType(parsed.rope_type)
    except ValueError:
        raise UnsupportedModelError(
            f"rope_type is {parsed.rope_type!r}; supported are "
            + ", ".join(known.value for known in RopeType)
        ) from None
    if (parsed.partial_rotary_factor or hf.partial_rotary_factor or 1.0) != 1.0:
        raise UnsupportedModelError("partial_rotary_factor is not 1; not supported")
    needed = {
        RopeType.DEFAULT: (),
        RopeType.LINEAR: ("factor",),
        RopeType.DYNAMIC: ("factor",),
        RopeType.LLAMA3: ("factor", "low_freq_factor", "high_freq_factor"),
    }[kind]
    for field in needed:
        if getattr(parsed, field) is None:
            raise UnsupportedModelError(f"rope_type {kind.value!r} needs {field!r}")
    original = hf.max_position_embeddings
    if kind is RopeType.LLAMA3:
        original = parsed.original_max_position_embeddings or original
    return RopeConfig(
        theta=parsed.rope_theta,
        type=kind,
        factor=parsed.factor or 1.0,
        low_freq_factor=parsed.low_freq_factor or 1.0,
        high_freq_factor=parsed.high_freq_factor or 4.0,
        original_context=original,
    )


def _sliding_window(hf: _HfConfig, family: str) -> int | None:
    if family != "mistral":
        return None  # as in transformers: Llama's attention never had a window
    kinds = set(hf.layer_types or [])
    if len(kinds) > 1:
        raise UnsupportedModelError(
            f"layer_types mixes {', '.join(sorted(kinds))}; a sliding window must hold for every "
            "layer or for none"
        )
    if kinds == {"full_attention"}:
        return None
    # transformers takes 4096 where the key is absent, as in Mistral 7B v0.1; null means no window.
    return hf.sliding_window if "sliding_window" in hf.model_fields_set else 4096


def _ids(value: int | list[int] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    return frozenset(value) if isinstance(value, list) else frozenset((value,))
