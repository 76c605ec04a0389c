"""LayerNorm (Ba et al. 2016, arXiv:1607.06450), and norms of single heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """Normalise each row to mean zero and unit variance, then scale and shift it.

    Args:
        x: [rows, hidden], bf16, fp16 or fp32.
        weight: [hidden].
        bias: [hidden], dtype of `weight`.
        eps: added to the variance before the root.
        dtype: of the result.

    Returns:
        [rows, hidden] of `dtype`, computed in fp32.
    """
    wide = F.layer_norm(x.float(), weight.shape, weight.float(), bias.float(), eps)
    return wide.to(dtype)


def norm_heads(qkv: Tensor, q_weight: Tensor, k_weight: Tensor, eps: float, heads: int) -> Tensor:
    """Normalise every head's queries and keys (RMSNorm; Henry et al. 2020, arXiv:2010.04245).

    Args:
        qkv: [tokens, (heads + 2 * kv_heads) * head_dim], the fused projection: queries, keys,
            values. May be overwritten.
        q_weight: [head_dim], of queries.
        k_weight: [head_dim], of keys, dtype of `q_weight`.
        eps: added to the mean square before the root.
        heads: of queries.

    Returns:
        As `qkv`, its values unchanged.
    """
    head_dim = q_weight.shape[0]
    rows = qkv.view(*qkv.shape[:-1], -1, head_dim)  # [tokens, heads + 2 * kv_heads, head_dim]
    keys = (rows.shape[-2] - heads) // 2
    turned = rows[..., : heads + keys, :].float()
    scale = torch.rsqrt(turned.square().mean(dim=-1, keepdim=True) + eps)
    turned = turned * scale
    turned[..., :heads, :] *= q_weight
    turned[..., heads:, :] *= k_weight
    rows[..., : heads + keys, :] = turned.to(qkv.dtype)
    return qkv
