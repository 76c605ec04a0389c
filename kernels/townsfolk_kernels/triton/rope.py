"""Rotary embedding of a flat batch, fused with the write into the pages."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.triton.launch import options, power_of_two


@triton.jit
def _rope_kernel(
    qkv,
    rotation,
    slots,
    q_out,
    k_pages,
    v_pages,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HALF: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    TILE: tl.constexpr,
):
    token, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    pair = tl.arange(0, TILE)
    inside = pair < HALF
    at = qkv + (token * (HEADS + 2 * KV_HEADS) + head) * (2 * HALF) + 2 * pair
    even = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    odd = tl.load(at + 1, mask=inside, other=0.0).to(tl.float32)
    if head < HEADS + KV_HEADS:
        turn = rotation + token * (2 * HALF) + 2 * pair
        cos = tl.load(turn, mask=inside, other=0.0)
        sin = tl.load(turn + 1, mask=inside, other=0.0)
        turned = even * cos - odd * sin
        odd = even * sin + odd * cos
        even = turned
    if head < HEADS:
        target = q_out + (token * HEADS + head) * (2 * HALF)
    else:
        slot = tl.load(slots + token)
        inside = inside & (slot >= 0)
        kv_head = (head - HEADS) % KV_HEADS
        row = (slot // BLOCK_SIZE * KV_HEADS + kv_head) * BLOCK_SIZE + slot % BLOCK_SIZE
        target = (k_pages if head < HEADS + KV_HEADS else v_pages) + row * (2 * HALF)
    tl.store(target + 2 * pair, even.to(q_out.dtype.element_ty), mask=inside)
    tl.store(target + 2 * pair + 1, odd.to(q_out.dtype.element_ty), mask=inside)


def rope_and_store(
    qkv: Tensor, rotation: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    """See `townsfolk_kernels.rope_and_store`; a token whose slot is below 0 is not stored."""
    tokens = qkv.shape[0]
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads = qkv.shape[1] // head_dim - 2 * kv_heads
    out = qkv.new_empty(tokens, heads, head_dim)
    _rope_kernel[(tokens, heads + 2 * kv_heads)](
        qkv,
        rotation,
        slots,
        out,
        k_pages,
        v_pages,
        HEADS=heads,
        KV_HEADS=kv_heads,
        HALF=head_dim // 2,
        BLOCK_SIZE=block_size,
        TILE=power_of_two(head_dim // 2),
        **options(1),
    )
    return out
