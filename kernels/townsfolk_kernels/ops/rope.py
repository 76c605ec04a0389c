"""Rotary position embedding (Su et al. 2021, arXiv:2104.09864), fused with the write into pages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from townsfolk_kernels.pages import store_rows
from townsfolk_kernels.registry import Implementations


def rope_and_store(
    qkv: Tensor, rotation: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    """Rotate queries and keys by their positions; write keys and values into their slots.

    Dimensions 2i and 2i + 1 of a head are a pair, as in the paper and in Meta's checkpoints.
    (Hugging Face's pair i with i + head_dim / 2; loading reorders their rows.)

    Args:
        qkv: [tokens, (heads + 2 * kv_heads) * head_dim], the fused projection: queries, keys,
            values. May be overwritten.
        rotation: [tokens, head_dim / 2, 2], fp32: cosine and sine of each pair's angle.
        k_pages: [num_blocks, kv_heads, block_size, head_dim], written in place; of numbers, or of
            8 bits (`townsfolk_kernels.pages`).
        v_pages: like `k_pages`.
        slots: [tokens], int64: block * block_size + offset in the block, all different.

    Returns:
        The rotated queries, [tokens, heads, head_dim], dtype of `qkv`.

    Raises:
        ValueError: the projection holds no whole number of heads, or the pages do not fit.
    """
    _, kv_heads, _, head_dim = k_pages.shape
    if v_pages.shape != k_pages.shape or qkv.shape[1] % head_dim or head_dim % 2:
        raise ValueError(
            f"qkv {tuple(qkv.shape)} does not fit pages {tuple(k_pages.shape)} and "
            f"{tuple(v_pages.shape)}: it needs whole heads, of an even dimension"
        )
    if qkv.shape[1] <= 2 * kv_heads * head_dim:
        raise ValueError(f"qkv has {qkv.shape[1]} columns: no queries beside {kv_heads} key heads")
    return ROPE_AND_STORE.pick(qkv.device.type)(qkv, rotation, k_pages, v_pages, slots)


def _rotate(x: Tensor, rotation: Tensor) -> Tensor:
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # [tokens, heads, head_dim / 2]
    cos, sin = rotation.unsqueeze(1).unbind(-1)
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return turned.flatten(-2).to(x.dtype)


def _rope_and_store_reference(
    qkv: Tensor, rotation: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    kv_heads, head_dim = k_pages.shape[1], k_pages.shape[3]
    rows = qkv.view(qkv.shape[0], -1, head_dim)  # [tokens, heads + 2 * kv_heads, head_dim]
    heads = rows.shape[1] - 2 * kv_heads
    q, k, v = torch.split(rows, [heads, kv_heads, kv_heads], dim=1)
    store_rows(k_pages, _rotate(k, rotation), slots)
    store_rows(v_pages, v, slots)
    return _rotate(q, rotation)


ROPE_AND_STORE: Implementations[Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]] = (
    Implementations(_rope_and_store_reference)
)


@ROPE_AND_STORE.register("cpu")
def _rope_and_store_cpu(
    qkv: Tensor, rotation: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    # As complex numbers a rotation is one product, in place: 7 us for one token of 24 heads, and
    # 75 for 128 of them, against 16 and 260 by halves of heads.
    kv_heads, head_dim = k_pages.shape[1], k_pages.shape[3]
    tokens = qkv.shape[0]
    wide = qkv.float()
    pairs = torch.view_as_complex(wide.view(tokens, -1, head_dim // 2, 2))
    heads = pairs.shape[1] - 2 * kv_heads
    pairs[:, : heads + kv_heads].mul_(torch.view_as_complex(rotation).unsqueeze(1))
    turned = wide.to(qkv.dtype).view(tokens, -1, head_dim)
    q, k, v = torch.split(turned, [heads, kv_heads, kv_heads], dim=1)
    store_rows(k_pages, k, slots)
    store_rows(v_pages, v, slots)
    return q
