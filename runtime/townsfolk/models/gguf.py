"""GGUF files: metadata and tensors to a decoder, by way of the families' `config.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from townsfolk.checkpoint import GgufCheckpoint
from townsfolk.models.families import read_config
from townsfolk.models.names import GGUF_NAMES, Architecture, TensorNames
from townsfolk.models.spec import DecoderSpec, LayerSpec, NormSpec, UnsupportedModelError

_EMBEDDING = "token_embd.weight"
_HEAD = "output.weight"
_LLAMA3_FACTORS = "rope_freqs.weight"
_FUSED = replace(GGUF_NAMES, qkv=("attn_qkv",), up=("ffn_up",))
# Rows of a rotary head lie in pairs in the files of these families.
_PAIRED = replace(GGUF_NAMES, neighbours=True)
_MOST = 2**31 - 1


class _File:
    """Checked access to a file's metadata, and to which tensors it has."""

    def __init__(self, checkpoint: GgufCheckpoint) -> None:
        self.checkpoint = checkpoint
        self._metadata: Mapping[str, Any] = checkpoint.metadata
        self.kind = self._get("general.architecture", str)

    def whole(self, field: str, otherwise: int | None = None) -> int:
        """Return a whole number of the architecture's; arrays by layer must hold one value."""
        key = f"{self.kind}.{field}"
        value = self._metadata.get(key, otherwise)
        if hasattr(value, "tolist"):
            values = set(value.tolist())
            if len(values) != 1:
                raise UnsupportedModelError(f"{key} differs from layer to layer; not supported")
            (value,) = values
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
            raise UnsupportedModelError(self._wrong(key, "a whole number"))
        return value

    def number(self, field: str, otherwise: float | None = None) -> float:
        """Return a number of the architecture's."""
        key = f"{self.kind}.{field}"
        value = self._metadata.get(key, otherwise)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UnsupportedModelError(self._wrong(key, "a number"))
        return float(value)

    def text(self, field: str, otherwise: str) -> str:
        """Return a text of the architecture's."""
        return str(self._get(f"{self.kind}.{field}", str, otherwise))

    def has(self, field: str) -> bool:
        """Return whether the architecture has such a field."""
        return f"{self.kind}.{field}" in self._metadata

    def factors(self, name: str, count: int) -> list[float]:
        """Return the values of a small tensor."""
        if self.checkpoint.shape(name) != (count,) or self.checkpoint.problem(name):
            shape = list(self.checkpoint.shape(name))
            raise UnsupportedModelError(f"{name} is {shape}; {count} numbers are needed")
        values: list[float] = self.checkpoint.tensor(name).float().tolist()
        return values

    @property
    def layers(self) -> int:
        """How many layers there are: no more than there are tensors."""
        count = self.whole("block_count")
        if count > sum(1 for _ in self.checkpoint):
            raise UnsupportedModelError(
                f"{self.kind}.block_count is {count}, but the file has too few tensors for that"
            )
        return count

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding."""
        if _EMBEDDING not in self.checkpoint:
            raise UnsupportedModelError(f"the file has no {_EMBEDDING}: it holds no language model")
        return self.checkpoint.shape(_EMBEDDING)[0]

    @property
    def dtype(self) -> str:
        """In which the weights are computed with: quantised ones in bfloat16."""
        readable = [name for name in self.checkpoint if not self.checkpoint.problem(name)]
        encodings = [self.checkpoint.stored(name).encoding for name in readable]
        dtypes = {each if isinstance(each, torch.dtype) else torch.bfloat16 for each in encodings}
        wanted = dtypes - {torch.float32} or {torch.float32}
        chosen = wanted.pop() if len(wanted) == 1 else torch.bfloat16
        return str(chosen).removeprefix("torch.")

    def token_ids(self, *fields: str) -> list[int]:
        """Return the ids of named tokens, of those that the file names."""
        found = (self._metadata.get(f"tokenizer.ggml.{field}") for field in fields)
        return [value for value in found if isinstance(value, int)]

    def _get(self, key: str, kind: type, otherwise: Any = None) -> Any:
        value = self._metadata.get(key, otherwise)
        if not isinstance(value, kind):
            raise UnsupportedModelError(self._wrong(key, "a text"))
        return value

    def _wrong(self, key: str, what: str) -> str:
        if key not in self._metadata:
            return f"the file's metadata lack {key}"
        return f"{key} is {self._metadata[key]!r}; it must be {what}"


@dataclass(frozen=True, slots=True)
class _Family:
    """How the files of one architecture are read.

    Attributes:
        names: of tensors.
        fields: `config.json` of the model, beside what all have.
        finish: what the file has done to the weights already.
    """

    names: TensorNames
    fields: Callable[[_File], dict[str, Any]]
    finish: Callable[[DecoderSpec, _File], DecoderSpec] = lambda spec, _: spec


def read_gguf(checkpoint: GgufCheckpoint) -> Architecture:
    """Translate a file's metadata.

    Raises:
        UnsupportedModelError: with the field and the reason.
    """
    file = _File(checkpoint)
    family = _FAMILIES.get(file.kind)
    if family is None:
        raise UnsupportedModelError(
            f"the file's architecture is {file.kind!r}; supported are {', '.join(_FAMILIES)}"
        )
    if file.whole("expert_count", 0):
        raise UnsupportedModelError("the model is a mixture of experts, which is not supported")
    found = read_config({**_common(file), **family.fields(file)})
    return Architecture(family.finish(found.spec, file), family.names, found.names)


def _common(file: _File) -> dict[str, Any]:
    """Return what the `config.json` of every family has."""
    hidden, heads = file.whole("embedding_length"), file.whole("attention.head_count")
    return {
        "vocab_size": file.vocab_size,
        "hidden_size": hidden,
        "intermediate_size": file.whole("feed_forward_length"),
        "num_hidden_layers": file.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": file.whole("attention.head_count_kv", heads),
        "head_dim": file.whole("attention.key_length", hidden // max(heads, 1)),
        "rms_norm_eps": file.number("attention.layer_norm_rms_epsilon", 1e-5),
        "max_position_embeddings": file.whole("context_length"),
        "rope_parameters": _rope(file, hidden // max(heads, 1)),
        "tie_word_embeddings": _HEAD not in file.checkpoint,
        "bos_token_id": file.token_ids("bos_token_id") or None,
        "eos_token_id": file.token_ids("eos_token_id", "eot_token_id", "eom_token_id") or None,
        "dtype": file.dtype,
    }


def _rope(file: _File, usual_head: int) -> dict[str, Any]:
    rope: dict[str, Any] = {"rope_theta": file.number("rope.freq_base", 10000.0)}
    head = file.whole("attention.key_length", usual_head)
    turned = file.whole("rope.dimension_count", head)
    if turned != head:
        rope["partial_rotary_factor"] = turned / max(head, 1)
    kind = file.text("rope.scaling.type", "none")
    if _LLAMA3_FACTORS in file.checkpoint:
        # Divisors of the frequencies, as Llama 3.1 and later have them.
        factors = file.factors(_LLAMA3_FACTORS, turned // 2)
        return rope | _divided(factors, factors, file.whole("context_length"))
    if kind == "none":
        return rope
    rope |= {"rope_type": kind, "factor": file.number("rope.scaling.factor")}
    if file.has("rope.scaling.original_context_length"):
        original = file.whole("rope.scaling.original_context_length")
        rope["original_max_position_embeddings"] = original
    return rope


def _divided(short: list[float], long: list[float], original: int) -> dict[str, Any]:
    return {
        "rope_type": "longrope",
        "short_factor": short,
        "long_factor": long,
        "original_max_position_embeddings": original,
        "attention_factor": 1.0,
    }


def _llama(file: _File) -> dict[str, Any]:
    window = {"sliding_window": file.whole("attention.sliding_window", 0)}
    if window["sliding_window"]:
        return {"architectures": ["MistralForCausalLM"], **window}
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": "blk.0.attn_q.bias" in file.checkpoint,
        "mlp_bias": "blk.0.ffn_down.bias" in file.checkpoint,
    }


def _qwen2(_: _File) -> dict[str, Any]:
    return {"architectures": ["Qwen2ForCausalLM"]}


def _qwen3(_: _File) -> dict[str, Any]:
    return {"architectures": ["Qwen3ForCausalLM"]}


def _smollm3(_: _File) -> dict[str, Any]:
    return {"architectures": ["SmolLM3ForCausalLM"]}


def _granite(file: _File) -> dict[str, Any]:
    return {
        "architectures": ["GraniteForCausalLM"],
        "embedding_multiplier": file.number("embedding_scale", 1.0),
        "residual_multiplier": file.number("residual_scale", 1.0),
        "attention_multiplier": file.number("attention.scale", 1.0),
        "logits_scaling": file.number("logit_scale", 1.0),
    }


def _gemma3(file: _File) -> dict[str, Any]:
    hidden, heads = file.whole("embedding_length"), file.whole("attention.head_count")
    # The 27B alone scales by the width of the stream; the file doesn't say so.
    is_27b = file.layers == 62
    scale = hidden // heads if is_27b else file.whole("attention.key_length", 256)
    fields = {
        "architectures": ["Gemma3ForCausalLM"],
        "query_pre_attn_scalar": scale,
        "sliding_window": file.whole("attention.sliding_window"),
    }
    if file.has("final_logit_softcapping"):
        fields["final_logit_softcapping"] = file.number("final_logit_softcapping")
    return fields


def _without_offsets(spec: DecoderSpec, _: _File) -> DecoderSpec:
    """Take one off norm weights that a file holds whole, as the family's checkpoints have them."""

    def whole(norm: NormSpec) -> NormSpec:
        return replace(norm, unit_offset=False)

    def layer(each: LayerSpec) -> LayerSpec:
        qk_norm = each.attention.qk_norm
        attention = replace(each.attention, qk_norm=whole(qk_norm) if qk_norm else None)
        return replace(each, attention=attention, norm=whole(each.norm))

    return replace(spec, norm=whole(spec.norm), layers=tuple(map(layer, spec.layers)))


def _phi3(file: _File) -> dict[str, Any]:
    fields: dict[str, Any] = {"architectures": ["Phi3ForCausalLM"]}
    if window := file.whole("attention.sliding_window", 0):
        fields["sliding_window"] = window
    short, long = "rope_factors_short.weight", "rope_factors_long.weight"
    if short in file.checkpoint and long in file.checkpoint:
        count = file.whole("rope.dimension_count") // 2
        original = file.whole("rope.scaling.original_context_length")
        fields["original_max_position_embeddings"] = original
        divided = _divided(file.factors(short, count), file.factors(long, count), original)
        magnitude = file.number("rope.scaling.attn_factor", 1.0)
        rope = _rope(file, file.whole("embedding_length") // file.whole("attention.head_count"))
        fields["rope_parameters"] = rope | divided | {"attention_factor": magnitude}
    return fields


def _gpt2(file: _File) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": file.whole("embedding_length"),
        "n_inner": file.whole("feed_forward_length"),
        "n_layer": file.layers,
        "n_head": file.whole("attention.head_count"),
        "n_positions": file.whole("context_length"),
        "layer_norm_epsilon": file.number("attention.layer_norm_epsilon", 1e-5),
    }


_FAMILIES = {
    "llama": _Family(_PAIRED, _llama),
    "qwen2": _Family(GGUF_NAMES, _qwen2),
    "qwen3": _Family(GGUF_NAMES, _qwen3),
    "gemma3": _Family(GGUF_NAMES, _gemma3, _without_offsets),
    "smollm3": _Family(_PAIRED, _smollm3),
    "granite": _Family(_PAIRED, _granite),
    "phi3": _Family(_FUSED, _phi3),
    "gpt2": _Family(_FUSED, _gpt2),
}
