"""Makes the Triton kernels those that the public operations run on CUDA tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from townsfolk_kernels.activation import SWIGLU
from townsfolk_kernels.attention import PAGED_ATTENTION, PagedLayout
from townsfolk_kernels.rms_norm import ADD_RMS_NORM, RMS_NORM
from townsfolk_kernels.rope import ROPE_AND_STORE
from townsfolk_kernels.triton.activation import swiglu
from townsfolk_kernels.triton.attention import decode_attention, prefill_attention
from townsfolk_kernels.triton.norm import add_rms_norm, rms_norm
from townsfolk_kernels.triton.rope import rope_and_store


def paged_attention(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    layout: PagedLayout,
    scale: float,
    sliding_window: int | None,
) -> Tensor:
    """See `townsfolk_kernels.paged_attention`: one kernel for decoding, one for prompts."""
    out = torch.empty_like(q)
    starts, lengths, tables = layout.query_starts, layout.kv_lengths, layout.block_tables
    if layout.longest is None:
        layout.longest = int((starts[1:] - starts[:-1]).max())
    decode_attention(
        q, k_pages, v_pages, tables, lengths, scale, sliding_window, out, None, 1, starts=starts
    )
    if layout.longest > 1:
        prefill_attention(
            q,
            k_pages,
            v_pages,
            tables,
            lengths,
            starts,
            layout.longest,
            scale,
            sliding_window,
            out,
        )
    return out


def register() -> None:
    """Registers them; the references run where they are forced."""
    RMS_NORM.register("cuda")(rms_norm)
    ADD_RMS_NORM.register("cuda")(add_rms_norm)
    ROPE_AND_STORE.register("cuda")(rope_and_store)
    SWIGLU.register("cuda")(swiglu)
    PAGED_ATTENTION.register("cuda")(paged_attention)
