"""Rotary position embedding (Su et al. 2021, arXiv:2104.09864), fused with the write into pages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from townsfolk_kernels.registry import Implementations


def rope_and_store(
    qkv: Tensor, cos: Tensor, sin: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    """Rotate queries and keys by their positions; write keys and values into their slots.

    A head's dimension i is paired with dimension i + head_dim / 2, as Hugging Face checkpoints
    lay them out.

    Args:
        qkv: [tokens, (heads + 2 * kv_heads) * head_dim], the fused projection: queries, keys,
            values. May be overwritten.
        cos: [tokens, head_dim / 2], fp32, of each token's rotation angles.
        sin: [tokens, head_dim / 2], fp32.
        k_pages: [num_blocks, block_size, kv_heads, head_dim], written in place.
        v_pages: like `k_pages`.
        slots: [tokens], int64: block * block_size + offset in the block, all different.

    Returns:
        The rotated queries, [tokens, heads, head_dim], dtype of `qkv`.
    """
    return _ROPE_AND_STORE.pick(qkv.device.type)(qkv, cos, sin, k_pages, v_pages, slots)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)  # [tokens, heads, head_dim / 2]
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


def _rope_and_store_reference(
    qkv: Tensor, cos: Tensor, sin: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    kv_heads, head_dim = k_pages.shape[2:]
    rows = qkv.view(qkv.shape[0], -1, head_dim)  # [tokens, heads + 2 * kv_heads, head_dim]
    heads = rows.shape[1] - 2 * kv_heads
    q, k, v = torch.split(rows, (heads, kv_heads, kv_heads), dim=1)
    k_pages.flatten(0, 1).index_copy_(0, slots, _rotate(k, cos, sin))
    v_pages.flatten(0, 1).index_copy_(0, slots, v)
    return _rotate(q, cos, sin)


_ROPE_AND_STORE: Implementations[
    Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
] = Implementations(_rope_and_store_reference)
