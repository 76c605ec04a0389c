"""What the kernels of a decode step compute, in PyTorch: on any device, in fp32, of fp64 in fp64.

Each returns what the kernel of its name writes, and changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from townsfolk_kernels.decode.operands import Addition, Heads, RowNorm, Sequences
from townsfolk_kernels.ops.activation import Activation


def project(
    x: Tensor,
    weight: Tensor,
    norm: RowNorm | None = None,
    multiplier: float = 1.0,
    cap: float | None = None,
) -> Tensor:
    """Return `out` of `projection.project`, [batch, out_features]."""
    result = multiplier * (_divided(x, norm) @ _wide(weight).t())
    return result if cap is None else cap * torch.tanh(result / cap)


def project_and_add(
    x: Tensor, weight: Tensor, bias: Tensor | None, addition: Addition
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `projection.project_and_add` leaves, as `add_rows` does."""
    product = _wide(x) @ _wide(weight).t()
    return add_rows(product if bias is None else product + bias, None, 0.0, addition)


def add_rows(
    x: Tensor, after: Tensor | None, eps: float, addition: Addition
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the new residual, that times the norm's weight, and its sums of squares [batch]."""
    output = _wide(x)
    if after is not None:
        output = _normalised(output, after, eps)
    total = addition.residual + addition.multiplier * output
    return total, total * addition.norm, total.square().sum(1)


def gate_up(
    x: Tensor, norm: RowNorm, weight: Tensor, bias: Tensor | None, activation: Activation
) -> Tensor:
    """Return `out` of `mlp.gate_up`, [batch, width]."""
    both = _divided(x, norm) @ _wide(weight).t()
    gate, up = (both if bias is None else both + bias).chunk(2, dim=1)
    return activation(gate) * up


def attend(
    qkv: Tensor, norm: RowNorm, layer: Heads, sequences: Sequences
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the attention of one new token a sequence, and its keys and values.

    Args:
        qkv: [batch, (heads + 2 * kv_heads) * head_dim]: the projection of rows not yet divided by
            their rms, without its bias.
        norm: what is left of that norm.
        layer: the layer's heads; their pages hold the positions before.
        sequences: who decodes; places that are not used are computed like others, of row 0.

    Returns:
        [batch, heads, head_dim], [batch, kv_heads, head_dim] twice.
    """
    q, k, v = new_heads(qkv, norm, layer, sequences)
    kv_heads = k.shape[1]
    out = torch.empty_like(q)
    for place, position in enumerate(sequences.positions.tolist()):
        table = sequences.tables[sequences.rows[place].clamp(min=0)].long()
        begin = 0 if layer.window is None else max(position + 1 - layer.window, 0)
        keys, values = (
            torch.cat((_paged(pages, table)[begin:position].to(q.dtype), new[place : place + 1]))
            for pages, new in ((layer.k_pages, k), (layer.v_pages, v))
        )  # [positions, kv_heads, head_dim]
        grouped = q[place].unflatten(0, (kv_heads, -1))
        scores = torch.einsum("kgd,pkd->kgp", grouped, keys) * layer.scale
        out[place] = torch.einsum("kgp,pkd->kgd", scores.softmax(-1), values).flatten(0, 1)
    return out, k, v


def new_heads(
    qkv: Tensor, norm: RowNorm, layer: Heads, sequences: Sequences
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the new tokens' queries, keys and values, [batch, heads, head_dim] each; see `attend`.

    Queries and keys are normalised and rotated.
    """
    kv_heads, head_dim = layer.k_pages.shape[1], layer.k_pages.shape[3]
    rows = _divided(qkv, norm)
    rows = rows if layer.bias is None else rows + layer.bias
    heads = rows.unflatten(1, (-1, head_dim))
    q, k, v = heads.split((heads.shape[1] - 2 * kv_heads, kv_heads, kv_heads), dim=1)
    if layer.norm is not None:
        q = _normalised(q, layer.norm.queries, layer.norm.eps)
        k = _normalised(k, layer.norm.keys, layer.norm.eps)
    turn = layer.rotation[sequences.positions.long()][:, None].to(rows.dtype)
    return _turned(q, turn), _turned(k, turn), v


def _paged(pages: Tensor, table: Tensor) -> Tensor:
    """Return the rows of a sequence: [positions, kv_heads, head_dim]."""
    return pages[table].transpose(1, 2).flatten(0, 1)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    (even, odd), (cos, sin) = x.unflatten(-1, (-1, 2)).unbind(-1), turn.unbind(-1)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


def _normalised(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def _divided(x: Tensor, norm: RowNorm | None) -> Tensor:
    wide = _wide(x)
    if norm is None:
        return wide
    return wide * torch.rsqrt(_wide(norm.squares).sum(0) / norm.width + norm.eps)[:, None]


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
