"""What a checkpoint calls the tensors of a decoder."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from townsfolk.models.spec import DecoderSpec


@dataclass(frozen=True, slots=True)
class TensorNames:
    """Names of tensors, without ".weight" and ".bias"; the defaults are those of most families.

    Attributes:
        roots: what names of everything but the head begin with; the first that a checkpoint has.
        embedding: behind the root.
        positions: the learned table of positions, behind the root.
        norm: the last norm, behind the root.
        head: the output projection, where it isn't tied; a whole name.
        layer: prefix of a layer's tensors, behind the root, with the place of its number.
        attention_norm: within the layer, as all that follow.
        qkv: projections of queries, keys and values; one name where they are one tensor.
        q_norm: norm of a head's queries.
        k_norm: norm of a head's keys.
        output: output projection of attention.
        after_attention: norm of what attention adds.
        mlp_norm: norm before the feed-forward block.
        up: gate and up projection; one name where they are one tensor or there is no gate.
        down: down projection.
        after_mlp: norm of what the feed-forward block adds.
        transposed: projections within layers are stored [in_features, out_features].
        neighbours: dimensions 2i and 2i + 1 of a rotary head are a pair already; else i and
            i + dim / 2 are.
        ignored: beginnings and ends of names that a checkpoint may hold without need.
    """

    roots: tuple[str, ...] = ("model.",)
    embedding: str = "embed_tokens"
    positions: str = ""
    norm: str = "norm"
    head: str = "lm_head"
    layer: str = "layers.{}."
    attention_norm: str = "input_layernorm"
    qkv: tuple[str, ...] = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    q_norm: str = "self_attn.q_norm"
    k_norm: str = "self_attn.k_norm"
    output: str = "self_attn.o_proj"
    after_attention: str = ""
    mlp_norm: str = "post_attention_layernorm"
    up: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj")
    down: str = "mlp.down_proj"
    after_mlp: str = ""
    transposed: bool = False
    neighbours: bool = False
    ignored: tuple[str, ...] = ("rotary_emb.inv_freq",)

    @property
    def root(self) -> str:
        """The first root."""
        return self.roots[0]

    def rooted(self, found: Container[str]) -> TensorNames:
        """Return these names with the root that fits the names `found` in a checkpoint."""
        for root in self.roots:
            if f"{root}{self.embedding}.weight" in found:
                return replace(self, roots=(root,))
        return self


GGUF_NAMES = TensorNames(
    roots=("",),
    embedding="token_embd",
    positions="position_embd",
    norm="output_norm",
    head="output",
    layer="blk.{}.",
    attention_norm="attn_norm",
    qkv=("attn_q", "attn_k", "attn_v"),
    q_norm="attn_q_norm",
    k_norm="attn_k_norm",
    output="attn_output",
    after_attention="post_attention_norm",
    mlp_norm="ffn_norm",
    up=("ffn_gate", "ffn_up"),
    down="ffn_down",
    after_mlp="post_ffw_norm",
    ignored=("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"),
)
"""As GGUF files have them; some families' differ."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder, and where its tensors are.

    Attributes:
        spec: what it computes.
        names: of its tensors in the checkpoint.
        published: what transformers calls them, where the checkpoint has names of its own.
    """

    spec: DecoderSpec
    names: TensorNames = TensorNames()
    published: TensorNames | None = None

    @property
    def modules(self) -> TensorNames:
        """What transformers calls the tensors, and with them those who train on it."""
        return self.published or self.names
