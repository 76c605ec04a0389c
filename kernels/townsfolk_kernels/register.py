"""Makes the Triton kernels those that the public operations run on CUDA tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from townsfolk_kernels.decode.attention import KeySplits, decode_attention
from townsfolk_kernels.decode.operands import FlatSequences, LayerCache
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import beside
from townsfolk_kernels.ops.activation import SWIGLU
from townsfolk_kernels.ops.attention import PAGED_ATTENTION, AttentionPlans
from townsfolk_kernels.ops.paged_layout import PagedLayout
from townsfolk_kernels.ops.rms_norm import ADD_RMS_NORM, RMS_NORM
from townsfolk_kernels.ops.rope import ROPE_AND_STORE
from townsfolk_kernels.prefill.activation import swiglu
from townsfolk_kernels.prefill.attention import prefill_attention
from townsfolk_kernels.prefill.norm import add_rms_norm, rms_norm
from townsfolk_kernels.prefill.packed_matrix import PackedMatrix
from townsfolk_kernels.prefill.rope import rope_and_store
from townsfolk_kernels.quantized.matrix import QUANTIZED


def paged_attention(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    layout: PagedLayout,
    scale: float,
    sliding_window: int | None,
    plans: AttentionPlans,
) -> Tensor:
    """See `townsfolk_kernels.paged_attention`: one kernel for decoding, one for prompts."""
    out = torch.empty_like(q)
    starts, lengths, tables = layout.query_starts, layout.kv_lengths, layout.block_tables
    if layout.longest is None:
        layout.longest = int((starts[1:] - starts[:-1]).max())
    cache = LayerCache(k_pages, v_pages, scale, sliding_window)
    if layout.singles is None:
        every = FlatSequences(starts, lengths, tables)
        decode_attention(q, cache, every, out)
        if layout.longest > 1:
            prefill_attention(q, cache, every, out, q.shape[0])
        return out
    count, workspace = layout.singles, layout.workspace
    decoding = FlatSequences(starts[: count + 1], lengths[:count], tables[:count])
    prompts = FlatSequences(starts[count:], lengths[count:], tables[count:])
    has_prompts = count < lengths.shape[0]
    stream = None if workspace is None or not has_prompts else workspace.beside
    if count:
        splits = None
        if workspace is not None:
            wave, kv_heads = card_of(q.device).wave, k_pages.shape[1]
            splits = KeySplits.filling(workspace.decode, count, kv_heads, wave)
        # Neither fills the device: 10 us a layer for 8 that decode, as long as a small chunk.
        with beside(stream):
            decode_attention(q, cache, decoding, out, splits)
    if has_prompts:
        space = None if workspace is None else workspace.prefill
        prefill_attention(q, cache, prompts, out, q.shape[0] - count, 1, space)
        if count and stream is not None:
            torch.cuda.current_stream().wait_stream(stream)
    return out


def register() -> None:
    """Register them; the references run where they are forced."""
    RMS_NORM.register("cuda")(rms_norm)
    ADD_RMS_NORM.register("cuda")(add_rms_norm)
    ROPE_AND_STORE.register("cuda")(rope_and_store)
    SWIGLU.register("cuda")(swiglu)
    PAGED_ATTENTION.register("cuda")(paged_attention)
    QUANTIZED.register("cuda")(PackedMatrix)
