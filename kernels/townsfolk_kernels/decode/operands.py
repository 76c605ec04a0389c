"""What the kernels of a decode step and of attention work on: related tensors, as objects."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles


@dataclass(frozen=True, slots=True)
class RowNorm:
    """What an RMSNorm still has to do to rows that are times its weight: divide them by their rms.

    That commutes with the product that follows, which divides its result instead.

    Attributes:
        squares: [parts, batch], fp32: sums of squares over parts of the residual stream's rows.
        width: columns of the residual stream.
        eps: added to the mean square.
    """

    squares: Tensor
    width: int
    eps: float


@dataclass(frozen=True, slots=True)
class Addition:
    """How the output of a block joins the residual stream, and what the next norm needs of it.

    Attributes:
        residual: [batch, hidden], changed in place.
        multiplier: factor of the output.
        norm: [hidden], the weight of the norm that follows.
        scaled: [batch, hidden], dtype of activations: becomes the new residual times `norm`.
        squares: [parts, batch], fp32: becomes sums of squares of the new residual.
    """

    residual: Tensor
    multiplier: float
    norm: Tensor
    scaled: Tensor
    squares: Tensor


@dataclass(frozen=True, slots=True)
class LaunchConfig:
    """How a product is launched.

    Attributes:
        tiles: how it is cut into programs.
        workspace: for the sums of programs that share a tile.
        dependent: by programmatic dependent launch.
    """

    tiles: Tiles
    workspace: SplitWorkspace
    dependent: bool


@dataclass(frozen=True, slots=True)
class Sequences:
    """The sequences of a decode step.

    Attributes:
        rows: [batch], int32: which row of `tables`; below 0 for a place that is not used, for
            which nothing is written.
        positions: [batch], int32, of the new tokens.
        tables: [any, max_blocks], int32: block tables.
    """

    rows: Tensor
    positions: Tensor
    tables: Tensor


@dataclass(frozen=True, slots=True)
class HeadNorm:
    """RMSNorm of each head's queries and keys, before they are rotated.

    Attributes:
        queries: [head_dim], fp32, the weight for queries.
        keys: [head_dim], fp32, for keys.
        eps: added to the mean square.
    """

    queries: Tensor
    keys: Tensor
    eps: float


@dataclass(frozen=True, slots=True)
class Heads:
    """Attention of one layer, from the fused projection on.

    Attributes:
        number: of the layer, from 0.
        bias: [(heads + 2 * kv_heads) * head_dim] of the projection, or None.
        norm: of queries and keys, or None.
        rotation: [positions, head_dim / 2, 2], fp32: cosine and sine of each pair's angle.
        k_pages: [num_blocks, kv_heads, block_size, head_dim], bf16, fp16 or fp32, or of 8 bits
            (`townsfolk_kernels.pages`), written in place.
        v_pages: like `k_pages`.
        scale: factor of the scores.
        window: positions a token sees, itself included; None for all.
    """

    number: int
    bias: Tensor | None
    norm: HeadNorm | None
    rotation: Tensor
    k_pages: Tensor
    v_pages: Tensor
    scale: float
    window: int | None


@dataclass(frozen=True, slots=True)
class AttentionLaunch:
    """How the attention of a decode step is launched.

    Attributes:
        splits: the most programs for one sequence and head.
        dependent: by programmatic dependent launch.
        ahead: each program loads its first keys and values before the wait for the kernel before.
    """

    splits: int
    dependent: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class LayerCache:
    """Keys and values of one layer, and how attention takes them.

    Attributes:
        k_pages: [num_blocks, kv_heads, block_size, head_dim], dtype of queries or of 8 bits
            (`townsfolk_kernels.pages`).
        v_pages: like `k_pages`.
        scale: factor of the scores.
        window: positions a token sees, itself included; None for all.
    """

    k_pages: Tensor
    v_pages: Tensor
    scale: float
    window: int | None


@dataclass(frozen=True, slots=True)
class FlatSequences:
    """The sequences of a flat batch of tokens.

    Attributes:
        starts: [sequences + 1], int32: sequence b has the tokens `starts[b] : starts[b + 1]`.
        lengths: [sequences], int32: positions of each, its new tokens included.
        tables: [sequences, max_blocks], int32: block tables.
    """

    starts: Tensor
    lengths: Tensor
    tables: Tensor
