"""What the families' `config.json` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from pydantic import BaseModel, PositiveFloat, PositiveInt, ValidationError
from townsfolk_kernels import Activation

from townsfolk.checkpoint.quantized import METHODS
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import (
    AttentionSpec,
    DecoderSpec,
    EmbeddingSpec,
    HeadSpec,
    LayerSpec,
    MlpSpec,
    NormSpec,
    RopeSpec,
    UnsupportedModelError,
)

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_ACTIVATIONS = {
    "silu": Activation.SILU,
    "swish": Activation.SILU,
    "gelu": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_fast": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "relu2": Activation.RELU_SQUARED,
}

Ids = int | list[int] | None


class DecoderFields(BaseModel):
    """Fields of `config.json` that most families have, with the defaults of transformers."""

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
    rope_theta: PositiveFloat | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: float | None = None
    bos_token_id: Ids = None
    eos_token_id: Ids = None
    quantization_config: dict[str, Any] | None = None
    dtype: str | None = None
    torch_dtype: str | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read the contents of a `config.json`.

        Raises:
            UnsupportedModelError: a field is missing or malformed, or asks for what no family has.
        """
        try:
            fields = cls.model_validate(raw)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise UnsupportedModelError(f"config.json is malformed: {problems}") from error
        fields._refuse_unsupported()
        return fields

    @property
    def kv_heads(self) -> int:
        """Key and value heads."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def width_of_head(self) -> int:
        """Width of a head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def weights_dtype(self) -> torch.dtype:
        """Dtype of the checkpoint."""
        return _DTYPES[self.dtype or self.torch_dtype or "float32"]

    @property
    def activation(self) -> Activation:
        """The activation of the feed-forward block."""
        return _ACTIVATIONS[self.hidden_act]

    @property
    def norm(self) -> NormSpec:
        """The usual norm."""
        return NormSpec(self.rms_norm_eps)

    def attention(self, rope: RopeSpec | None, **changes: Any) -> AttentionSpec:
        """Return attention with the usual scale; `changes` are fields of `AttentionSpec`."""
        usual = {"scale": self.width_of_head**-0.5}
        return AttentionSpec(
            self.num_attention_heads, self.kv_heads, self.width_of_head, rope=rope,
            **{**usual, **changes},
        )  # fmt: skip

    def layer(self, attention: AttentionSpec, **changes: Any) -> LayerSpec:
        """Return a layer with a gated feed-forward block; `changes` are fields of `LayerSpec`."""
        usual = {"mlp": MlpSpec(self.intermediate_size, self.activation), "norm": self.norm}
        return LayerSpec(attention, **{**usual, **changes})

    def architecture(
        self,
        layers: Sequence[LayerSpec],
        names: TensorNames | None = None,
        *,
        embedding: EmbeddingSpec | None = None,
        head: HeadSpec | None = None,
        context_length: int | None = None,
    ) -> Architecture:
        """Return the whole decoder."""
        spec = DecoderSpec(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            layers=tuple(layers),
            norm=layers[0].norm,
            embedding=embedding or EmbeddingSpec(),
            head=head or HeadSpec(tied=self.tie_word_embeddings),
            context_length=context_length or self.max_position_embeddings,
            bos_id=min(ids(self.bos_token_id), default=None),
            eos_ids=ids(self.eos_token_id),
            dtype=self.weights_dtype,
        )
        return Architecture(spec, names or TensorNames())

    def windows(self, sliding_window: int | None, layer_types: list[str] | None) -> Windows:
        """Return the window of each layer, by `layer_types` where the file has them.

        Raises:
            UnsupportedModelError: there are too few of them, or of an unknown kind.
        """
        count = self.num_hidden_layers
        kinds = layer_types or ["sliding_attention"] * count
        unknown = set(kinds) - {"full_attention", "sliding_attention"}
        if unknown:
            raise UnsupportedModelError(
                f"layer_types names {', '.join(sorted(unknown))}; supported are full_attention and "
                "sliding_attention"
            )
        if len(kinds) < count:
            raise UnsupportedModelError(f"layer_types has {len(kinds)} entries for {count} layers")
        return [sliding_window if kind == "sliding_attention" else None for kind in kinds[:count]]

    def _refuse_unsupported(self) -> None:
        method = (self.quantization_config or {}).get("quant_method", "of unknown kind")
        if self.quantization_config is not None and method not in METHODS:
            raise UnsupportedModelError(
                f"the checkpoint is quantised ({method}); read are {', '.join(METHODS)} and GGUF "
                "files"
            )
        if self.hidden_act not in _ACTIVATIONS:
            raise UnsupportedModelError(
                f"hidden_act is {self.hidden_act!r}; supported are {', '.join(_ACTIVATIONS)}"
            )
        if self.num_attention_heads % self.kv_heads:
            raise UnsupportedModelError(
                f"num_attention_heads ({self.num_attention_heads}) is not a multiple of "
                f"num_key_value_heads ({self.kv_heads})"
            )
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise UnsupportedModelError(
                f"hidden_size ({self.hidden_size}) is not a multiple of num_attention_heads "
                f"({self.num_attention_heads}), and head_dim is not given"
            )
        if self.width_of_head % 2:
            raise UnsupportedModelError(
                f"head_dim is {self.width_of_head}; rotary embedding needs an even one"
            )
        for field in ("dtype", "torch_dtype"):
            name = getattr(self, field)
            if name is not None and name not in _DTYPES:
                raise UnsupportedModelError(
                    f"{field} is {name!r}; supported are {', '.join(_DTYPES)}"
                )


Windows = list[int | None]


def ids(value: Ids) -> frozenset[int]:
    """Return the token ids of a field that holds none, one or several."""
    if value is None:
        return frozenset()
    return frozenset(value) if isinstance(value, list) else frozenset((value,))


def refuse(raw: Mapping[str, Any], **reasons: str) -> None:
    """Refuse fields that are set, to anything but null, false or zero.

    Raises:
        UnsupportedModelError: with the field, its value and the reason.
    """
    for field, reason in reasons.items():
        value = raw.get(field)
        if value:
            raise UnsupportedModelError(f"{field} is {value!r}: {reason}")
