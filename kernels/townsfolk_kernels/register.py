"""Makes the Triton kernels those that the public operations run on CUDA tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from townsfolk_kernels.decode.attention import (
    DecodeWorkspace,
    decode_attention,
    decode_splits,
)
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import beside
from townsfolk_kernels.ops.activation import SWIGLU
from townsfolk_kernels.ops.attention import PAGED_ATTENTION, AttentionPlans, PagedLayout
from townsfolk_kernels.ops.rms_norm import ADD_RMS_NORM, RMS_NORM
from townsfolk_kernels.ops.rope import ROPE_AND_STORE
from townsfolk_kernels.prefill.activation import swiglu
from townsfolk_kernels.prefill.attention import PrefillWorkspace, prefill_attention
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

    def decode(of: slice, workspace: DecodeWorkspace | None, splits: int, least: int = 1) -> None:
        decode_attention(
            q,
            k_pages,
            v_pages,
            tables[of],
            lengths[of],
            scale,
            sliding_window,
            out,
            workspace,
            splits,
            starts[of],
            least,
        )

    def prefill(of: slice, least: int, workspace: PrefillWorkspace | None) -> None:
        prefill_attention(
            q,
            k_pages,
            v_pages,
            tables[of],
            lengths[of],
            starts[of],
            q.shape[0] - (layout.singles or 0),
            scale,
            sliding_window,
            out,
            least,
            workspace,
        )

    if layout.singles is None:
        decode(slice(None), None, 1)
        if layout.longest > 1:
            prefill(slice(None), 2, None)
        return out
    workspace, has_prompts = layout.workspace, layout.singles < lengths.shape[0]
    if layout.singles:
        speaking = slice(0, layout.singles)
        if workspace is None:
            decode(speaking, None, 1)
        else:
            wave = card_of(q.device).wave
            splits, least = decode_splits(layout.singles, k_pages.shape[1], wave)
            # Neither fills the device: 10 us a layer for 8 who speak, as long as a small chunk.
            with beside(workspace.beside if has_prompts else None):
                decode(speaking, workspace.decode, splits, least)
    if has_prompts:
        of_prompts = None if workspace is None else workspace.prefill
        prefill(slice(layout.singles, None), 1, of_prompts)
        if layout.singles and workspace is not None and workspace.beside is not None:
            torch.cuda.current_stream().wait_stream(workspace.beside)
    return out


def register() -> None:
    """Register them; the references run where they are forced."""
    RMS_NORM.register("cuda")(rms_norm)
    ADD_RMS_NORM.register("cuda")(add_rms_norm)
    ROPE_AND_STORE.register("cuda")(rope_and_store)
    SWIGLU.register("cuda")(swiglu)
    PAGED_ATTENTION.register("cuda")(paged_attention)
    QUANTIZED.register("cuda")(PackedMatrix)  # where `keeps_blocks` lets there be any
