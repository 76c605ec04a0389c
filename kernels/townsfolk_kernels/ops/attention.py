"""Attention of a flat batch of tokens over paged keys and values.

The pages are those of Kwon et al. 2023, arXiv:2309.06180.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import torch
from torch import Tensor

from townsfolk_kernels.cpu.attention import attend as attend_by_plan
from townsfolk_kernels.cpu.attention_plan import make_plan
from townsfolk_kernels.ops.paged_layout import PagedLayout
from townsfolk_kernels.pages import QUANTIZED, chosen_values
from townsfolk_kernels.registry import Implementations

Made = TypeVar("Made")


class AttentionPlans:
    """What a device makes of a batch's layout at the first layer of a kind, kept for the others."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._made: dict[Hashable, object] = {}

    def get(self, kind: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for this kind of layer, or make it."""
        if kind not in self._made:
            self._made[kind] = make()
        return cast(Made, self._made[kind])


def paged_attention(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    layout: PagedLayout,
    scale: float,
    sliding_window: int | None = None,
    plans: AttentionPlans | None = None,
) -> Tensor:
    """Compute causal attention of every token to its own sequence's positions, its own included.

    Args:
        q: [tokens, heads, head_dim], bf16, fp16 or fp32.
        k_pages: [num_blocks, kv_heads, block_size, head_dim], dtype of `q` or of 8 bits
            (`townsfolk_kernels.pages`); heads is a multiple of kv_heads, and query head h reads key
            head h // (heads / kv_heads).
        v_pages: like `k_pages`. Behind a sequence's last position in its last block it must be
            finite, unless that block begins in this call; there it may be overwritten with zeros.
        layout: the sequences of the batch; their keys and values are already in the pages.
        scale: factor of the scores, 1 / sqrt(head_dim) as a rule.
        sliding_window: a token sees this many positions, itself included; None for all.
        plans: those of this layout; None to make them anew.

    Returns:
        [tokens, heads, head_dim], dtype of `q`; the softmax is taken in fp32.

    Raises:
        ValueError: the shapes or dtypes of queries and pages do not fit, or the window is below 1.
    """
    _, kv_heads, _, head_dim = k_pages.shape
    if q.shape[2] != head_dim or q.shape[1] % kv_heads or v_pages.shape != k_pages.shape:
        raise ValueError(
            f"q {tuple(q.shape)} does not fit pages {tuple(k_pages.shape)} and "
            f"{tuple(v_pages.shape)}"
        )
    if k_pages.dtype not in (q.dtype, QUANTIZED) or v_pages.dtype != k_pages.dtype:
        raise ValueError(f"q is {q.dtype}, the pages are {k_pages.dtype} and {v_pages.dtype}")
    if sliding_window is not None and sliding_window < 1:
        raise ValueError(f"sliding_window is {sliding_window}, must be at least 1 or None")
    attend = PAGED_ATTENTION.pick(q.device.type)
    return attend(q, k_pages, v_pages, layout, scale, sliding_window, plans or AttentionPlans())


def _paged_attention_reference(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    layout: PagedLayout,
    scale: float,
    sliding_window: int | None,
    plans: AttentionPlans,
) -> Tensor:
    out = torch.empty_like(q)
    group = q.shape[1] // k_pages.shape[1]
    starts, lengths = layout.query_starts.tolist(), layout.kv_lengths.tolist()
    for sequence, length in enumerate(lengths):
        begin, end = starts[sequence], starts[sequence + 1]
        blocks = layout.block_tables[sequence, : -(-length // layout.block_size)].long()
        k, v = (
            chosen_values(pages, blocks, torch.float32).transpose(0, 1).flatten(1, 2)[:, :length]
            for pages in (k_pages, v_pages)
        )
        k, v = k.float(), v.float()
        k = k.repeat_interleave(group, dim=0)  # [heads, length, head_dim]
        v = v.repeat_interleave(group, dim=0)
        scores = torch.einsum("qhd,hkd->hqk", q[begin:end].float(), k) * scale
        keys = torch.arange(length, device=q.device)
        queries = keys[length - (end - begin) :, None]  # positions of the batch's own tokens
        hidden = keys > queries  # [queries, length]
        if sliding_window is not None:
            hidden |= keys <= queries - sliding_window
        weights = scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)
        out[begin:end] = torch.einsum("hqk,hkd->qhd", weights, v).to(q.dtype)
    return out


PAGED_ATTENTION: Implementations[
    Callable[[Tensor, Tensor, Tensor, PagedLayout, float, int | None, AttentionPlans], Tensor]
] = Implementations(_paged_attention_reference)


@PAGED_ATTENTION.register("cpu")
def _paged_attention_cpu(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    layout: PagedLayout,
    scale: float,
    sliding_window: int | None,
    plans: AttentionPlans,
) -> Tensor:
    kind = (q.shape[1], q.dtype, sliding_window)
    plan = plans.get(kind, lambda: make_plan(layout, *kind))
    return attend_by_plan(q, k_pages, v_pages, plan, scale)
