"""A plain, differentiable Llama whose parameters bear Hugging Face's names.

The engine has its own, faster model; this one exists for gradients. Architecture: Touvron et al.
2023 (https://arxiv.org/abs/2302.13971), grouped-query attention as in Llama 2 and 3.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


class UnsupportedConfigError(ValueError):
    """A config.json describes something that this module can't train; the message says what."""


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """The shape of a Llama, with config.json's names."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        if self.num_attention_heads % self.num_key_value_heads:
            raise UnsupportedConfigError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})"
            )
        if self.head_dim % 2:
            raise UnsupportedConfigError(f"head_dim must be even, not {self.head_dim}")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "LlamaConfig":
        """Read a config.json; raises UnsupportedConfigError for what can't be trained here."""
        rope = values.get("rope_parameters") or {}
        scaling = values.get("rope_scaling") or (
            rope if rope.get("rope_type", "default") != "default" else None
        )
        refused = {
            "model_type": values.get("model_type") != "llama",
            "rope_scaling": scaling is not None,
            "attention_bias": bool(values.get("attention_bias")),
            "mlp_bias": bool(values.get("mlp_bias")),
            "hidden_act": values.get("hidden_act", "silu") != "silu",
        }
        for field, bad in refused.items():
            if bad:
                raise UnsupportedConfigError(
                    f"config.json: {field} = {values.get(field)!r} can't be trained here"
                )
        known = {name: values[name] for name in cls.__slots__ if values.get(name) is not None}
        known.setdefault("num_key_value_heads", values["num_attention_heads"])
        known.setdefault("head_dim", values["hidden_size"] // values["num_attention_heads"])
        known.setdefault("tie_word_embeddings", False)
        if "rope_theta" in rope:
            known["rope_theta"] = rope["rope_theta"]
        return cls(**known)

    def to_json(self, dtype: str, bos: int, eos: list[int]) -> dict[str, Any]:
        """The config.json of a model of this shape."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            **asdict(self),
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "mlp_bias": False,
            "bos_token_id": bos,
            "eos_token_id": eos if len(eos) > 1 else eos[0],
            "dtype": dtype,
        }


Mask = Tensor | BlockMask
"""Who may attend to whom: bool [batch, 1, queries, keys], or blocks for compiled CUDA code."""


def document_mask(documents: Tensor, blockwise: bool) -> Mask:
    """Causal attention inside each document only.

    Args:
        documents: The number of the document of each position. [batch, length], integer.
        blockwise: Make a block mask (for compiled code on CUDA) instead of a dense one.
    """
    batch, length = documents.shape
    if blockwise:

        def allowed(b: Tensor, _h: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (query >= key) & (documents[b, query] == documents[b, key])

        return create_block_mask(
            allowed, batch, None, length, length, str(documents.device), _compile=True
        )
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same.tril()  # [batch, 1, length, length]


def document_positions(documents: Tensor) -> Tensor:
    """Each token's position in its own document. [batch, length], integer."""
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    starts = torch.ones_like(documents, dtype=torch.bool)
    starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(starts, index, 0).cummax(dim=1).values


class RMSNorm(nn.Module):
    """Root mean square normalisation, in fp32 (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding, halves layout.

    Args:
        x: [batch, heads, length, head_dim].
        cos: [batch, 1, length, head_dim].
        sin: As ``cos``.
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.q_proj = nn.Linear(config.hidden_size, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, config.hidden_size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Mask) -> Tensor:  # noqa: D102
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, self.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, self.kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        out: Tensor
        if isinstance(mask, BlockMask):
            out = flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """SwiGLU feed-forward network (Shazeer 2020, https://arxiv.org/abs/2002.05202)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Mask) -> Tensor:  # noqa: D102
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Everything below the output head; named ``model`` in Hugging Face's state dict."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """Tokens to logits."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # GPT-2's scheme: what writes to the residual stream starts smaller.
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / (2 * config.num_hidden_layers) ** 0.5 if writes else 0.02
                nn.init.normal_(parameter, std=std)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def forward(self, tokens: Tensor, positions: Tensor, mask: Mask) -> Tensor:
        """Logits for every position.

        Args:
            tokens: [batch, length], int64.
            positions: Each token's position in its document. [batch, length], int64.
            mask: From ``document_mask``.

        Returns:
            [batch, length, vocabulary].
        """
        half = torch.arange(0, self.config.head_dim, 2, device=tokens.device, dtype=torch.float32)
        frequencies = self.config.rope_theta ** (-half / self.config.head_dim)  # [head_dim / 2]
        angles = (
            positions[:, None, :, None].float() * frequencies
        )  # [batch, 1, length, head_dim / 2]
        angles = torch.cat((angles, angles), dim=-1)
        cos, sin = angles.cos(), angles.sin()
        x = self.model.embed_tokens(tokens)  # [batch, length, hidden]
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask)
        return self.lm_head(self.model.norm(x))  # type: ignore[no-any-return]

    def weights(self) -> dict[str, Tensor]:
        """The state dict under Hugging Face's names; a tied head is left out, as they do."""
        state = dict(self.state_dict())
        if self.config.tie_word_embeddings:
            del state["lm_head.weight"]
        return state

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Load a state dict; raises RuntimeError naming missing or unknown weights."""
        if self.config.tie_word_embeddings:
            weights = {**weights, "lm_head.weight": weights["model.embed_tokens.weight"]}
        self.load_state_dict(weights)
