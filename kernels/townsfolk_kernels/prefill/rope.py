"""Rotary embedding of a flat batch, fused with the write into the pages."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.attention import quantized, row_offsets, scales_at
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two

# Of one program. A program for each head took 4.8 us for 128 tokens of Llama-3.2-1B on an H200,
# and 8.5 for 256, most of it to start programs.
_HEADS = 16


@kernel
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
    HEAD_TILE: tl.constexpr,
    TILE: tl.constexpr,
):
    """Rotate and store HEAD_TILE heads of a token: queries, keys, then values."""
    token = tl.program_id(0).to(tl.int64)
    head = (tl.program_id(1) * HEAD_TILE + tl.arange(0, HEAD_TILE))[:, None]
    pair = tl.arange(0, TILE)[None, :]
    inside = (pair < HALF) & (head < HEADS + 2 * KV_HEADS)
    at = qkv + (token * (HEADS + 2 * KV_HEADS) + head) * (2 * HALF) + 2 * pair
    even = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    odd = tl.load(at + 1, mask=inside, other=0.0).to(tl.float32)
    turn = rotation + token * (2 * HALF) + 2 * pair
    cos = tl.load(turn, mask=pair < HALF, other=0.0)
    sin = tl.load(turn + 1, mask=pair < HALF, other=0.0)
    is_turned = head < HEADS + KV_HEADS
    first = tl.where(is_turned, even * cos - odd * sin, even).to(q_out.dtype.element_ty)
    second = tl.where(is_turned, even * sin + odd * cos, odd).to(q_out.dtype.element_ty)
    q_at = q_out + (token * HEADS + head) * (2 * HALF) + 2 * pair
    is_query = inside & (head < HEADS)
    tl.store(q_at, first, mask=is_query)
    tl.store(q_at + 1, second, mask=is_query)
    slot = tl.load(slots + token)
    HAS_SCALES: tl.constexpr = k_pages.dtype.element_ty == tl.int8
    kv_head, block, inner = (
        tl.maximum(head - HEADS, 0) % KV_HEADS,
        slot // BLOCK_SIZE,
        slot % BLOCK_SIZE,
    )
    row = row_offsets(block, kv_head, inner, KV_HEADS, BLOCK_SIZE, 2 * HALF, HAS_SCALES)
    page_at = row + 2 * pair
    is_key = (slot >= 0) & (head >= HEADS) & is_turned
    is_value = (slot >= 0) & (head >= HEADS + KV_HEADS) & (head < HEADS + 2 * KV_HEADS)
    if HAS_SCALES:
        both, scales = quantized(
            tl.reshape(tl.join(first, second).to(tl.float32), [HEAD_TILE, 2 * TILE])
        )
        first, second = tl.split(tl.reshape(both, [HEAD_TILE, TILE, 2]))
        tl.store(scales_at(k_pages, row, inner, BLOCK_SIZE, 2 * HALF), scales[:, None], mask=is_key)
        tl.store(
            scales_at(v_pages, row, inner, BLOCK_SIZE, 2 * HALF), scales[:, None], mask=is_value
        )
    first, second = first.to(k_pages.dtype.element_ty), second.to(k_pages.dtype.element_ty)
    tl.store(k_pages + page_at, first, mask=inside & is_key)
    tl.store(k_pages + page_at + 1, second, mask=inside & is_key)
    tl.store(v_pages + page_at, first, mask=inside & is_value)
    tl.store(v_pages + page_at + 1, second, mask=inside & is_value)


def rope_and_store(
    qkv: Tensor, rotation: Tensor, k_pages: Tensor, v_pages: Tensor, slots: Tensor
) -> Tensor:
    """See `townsfolk_kernels.rope_and_store`; a token whose slot is below 0 is not stored."""
    tokens = qkv.shape[0]
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads = qkv.shape[1] // head_dim - 2 * kv_heads
    out = qkv.new_empty(tokens, heads, head_dim)
    _rope_kernel[(tokens, -(-(heads + 2 * kv_heads) // _HEADS))](
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
        HEAD_TILE=_HEADS,
        TILE=power_of_two(head_dim // 2),
        **options(2),
    )
    return out
