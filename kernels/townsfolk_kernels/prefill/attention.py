"""Attention of prompts of any lengths over paged keys and values, with split KV for small chunks.

It follows FlashAttention-2 (Dao 2023, arXiv:2307.08691). The rows of a tile are the query heads
that share a key head, for several tokens one after the other. Where a chunk of a prompt has too few
tiles to fill the device, the keys of a tile are split among programs, as in flash-decoding: a chunk
of 120 tokens behind 4,000 took 115 us a layer (Llama-3.2-1B, H200) in 32 programs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.attention import DecodeWorkspace, page_offsets, scales_at
from townsfolk_kernels.decode.operands import FlatSequences, LayerCache
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two, precision

_MAX_SPLITS = 8
_LEAST_KEYS = 4  # tiles of keys that are worth a program
_SEQUENCES = 128  # so many or fewer share a kernel


class PrefillWorkspace:
    """Memory in which the programs that share a tile meet."""

    __slots__ = ("counters", "partial", "programs", "statistics")

    def __init__(
        self, programs: int, group: int, head_dim: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Take memory for so many programs: twice the device's multiprocessors fill it."""
        self.programs = programs
        rows = _tile_tokens(group, head_dim, dtype) * power_of_two(group)
        width = max(16, power_of_two(head_dim))
        self.partial = torch.empty((self.programs, rows, width), device=device)  # fp32
        self.statistics = torch.empty((self.programs, 2, rows), device=device)
        self.counters = torch.zeros(self.programs, dtype=torch.int32, device=device)


@dataclass(frozen=True, slots=True)
class AttentionWorkspace:
    """Where programs meet in steps with prompts.

    Attributes:
        decode: those of sequences that decode.
        prefill: those of prompts; None where a tile's keys are not split.
        beside: on which the former run while the latter do; None for the same stream.
    """

    decode: DecodeWorkspace
    prefill: PrefillWorkspace | None
    beside: torch.cuda.Stream | None


@kernel(
    do_not_specialize=["sequences", "programs"],
    do_not_specialize_on_alignment=["lengths", "starts"],  # of steps without a graph, any
)
def _prefill_kernel(
    q,
    k_pages,
    v_pages,
    tables,
    lengths,
    starts,
    out,
    partial,
    statistics,
    counters,
    sequences,
    programs,
    table_stride,
    scale,
    GROUP: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    WINDOW: tl.constexpr,
    TOKENS: tl.constexpr,
    TILE_G: tl.constexpr,
    TILE_D: tl.constexpr,
    KEYS: tl.constexpr,
    LEAST: tl.constexpr,
    SEQUENCES: tl.constexpr,
    MAX_SPLITS: tl.constexpr,
    LEAST_KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    tile, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    HAS_SCALES: tl.constexpr = k_pages.dtype.element_ty == tl.int8
    s = tl.arange(0, SEQUENCES)
    start_s = tl.load(starts + s, mask=s < sequences, other=0)
    count_s = tl.load(starts + s + 1, mask=s < sequences, other=0) - start_s
    tiles_s = tl.where(count_s >= LEAST, (count_s + TOKENS - 1) // TOKENS, 0)
    ends = tl.cumsum(tiles_s, axis=0)
    tiles = tl.sum(tiles_s, axis=0)
    if tile < tiles:
        sequence = tl.sum((ends <= tile).to(tl.int32), axis=0)
        is_own = s == sequence
        part = tile - tl.sum(tl.where(is_own, ends - tiles_s, 0), axis=0)
        start = tl.sum(tl.where(is_own, start_s, 0), axis=0)
        count = tl.sum(tl.where(is_own, count_s, 0), axis=0)
        length = tl.load(lengths + sequence)
        table = tables + sequence * table_stride
        oldest = length - count + part * TOKENS
        high = tl.minimum(oldest + TOKENS, length)
        low = 0
        if WINDOW > 0:
            low = tl.maximum(oldest - WINDOW + 1, 0) // KEYS * KEYS
        splits = 1
        if MAX_SPLITS > 1:
            # No more than there is memory for; and each with some work.
            most = tl.minimum(tl.maximum(programs // (tiles * KV_HEADS), 1), MAX_SPLITS)
            key_tiles = (high - low + KEYS - 1) // KEYS
            share = tl.maximum((key_tiles + most - 1) // most, LEAST_KEYS)
            splits = (key_tiles + share - 1) // share
            slot = (tile * KV_HEADS + kv_head) * most
            low += split * share * KEYS
            high = tl.minimum(high, low + share * KEYS)
        if split < splits:
            r, d, t = tl.arange(0, TOKENS * TILE_G), tl.arange(0, TILE_D), tl.arange(0, KEYS)
            number = part * TOKENS + r // TILE_G  # of the sequence's new tokens
            head = kv_head * GROUP + r % TILE_G
            position = length - count + number
            real = (number < count) & (r % TILE_G < GROUP)
            real = real[:, None] & (d[None, :] < HEAD_DIM)
            token = (start + number).to(tl.int64)
            places = (token * (KV_HEADS * GROUP) + head)[:, None] * HEAD_DIM + d[None, :]
            queries = tl.load(q + places, mask=real, other=0.0)
            top = tl.full([TOKENS * TILE_G], -float("inf"), tl.float32)
            mass = tl.zeros([TOKENS * TILE_G], tl.float32)
            acc = tl.zeros([TOKENS * TILE_G, TILE_D], tl.float32)
            log2_scale = scale * 1.4426950408889634
            for first in range(low, high, KEYS):
                key = first + t
                inside = key < length
                at = page_offsets(
                    table, key, kv_head, inside, KV_HEADS, BLOCK_SIZE, HEAD_DIM, HAS_SCALES
                )
                seen = inside[:, None] & (d[None, :] < HEAD_DIM)
                k = tl.load(k_pages + at[:, None] + d[None, :], mask=seen, other=0)
                k = k.to(queries.dtype)
                scores = tl.dot(queries, tl.trans(k), input_precision=PRECISION) * log2_scale
                if HAS_SCALES:
                    k_at = scales_at(k_pages, at, key % BLOCK_SIZE, BLOCK_SIZE, HEAD_DIM)
                    scores *= tl.load(k_at, mask=inside, other=0.0)[None, :]
                visible = key[None, :] <= position[:, None]
                if WINDOW > 0:
                    visible = visible & (key[None, :] > position[:, None] - WINDOW)
                scores = tl.where(visible, scores, -float("inf"))
                higher = tl.maximum(top, tl.max(scores, axis=1))
                # A row may see nothing of a tile that its window has left behind.
                safe = tl.where(higher == -float("inf"), 0.0, higher)
                weights = tl.exp2(scores - safe[:, None])
                shrink = tl.exp2(top - safe)
                mass = mass * shrink + tl.sum(weights, axis=1)
                acc = acc * shrink[:, None]
                v = tl.load(v_pages + at[:, None] + d[None, :], mask=seen, other=0)
                if HAS_SCALES:
                    v_at = scales_at(v_pages, at, key % BLOCK_SIZE, BLOCK_SIZE, HEAD_DIM)
                    weights *= tl.load(v_at, mask=inside, other=0.0)[None, :]
                weights, v = weights.to(queries.dtype), v.to(queries.dtype)
                acc = tl.dot(weights, v, acc, input_precision=PRECISION)
                top = higher
            is_last = split < splits
            if MAX_SPLITS > 1:  # noqa: SIM102  known when it is compiled
                if splits > 1:
                    ROWS: tl.constexpr = TOKENS * TILE_G
                    inner = r[:, None] * TILE_D + d[None, :]
                    own = (slot + split).to(tl.int64)
                    tl.store(partial + own * (ROWS * TILE_D) + inner, acc)
                    tl.store(statistics + own * (2 * ROWS) + r, top)
                    tl.store(statistics + own * (2 * ROWS) + ROWS + r, mass)
                    tl.debug_barrier()  # all threads have stored before one of them says so
                    is_last = tl.atomic_add(counters + slot, 1, sem="acq_rel") == splits - 1
                    if is_last:
                        tl.store(counters + slot, 0)
                        top = tl.full([ROWS], -float("inf"), tl.float32)
                        mass = tl.zeros([ROWS], tl.float32)
                        acc = tl.zeros([ROWS, TILE_D], tl.float32)
                        for other in range(0, splits):
                            theirs = (slot + other).to(tl.int64)
                            noted = statistics + theirs * (2 * ROWS) + r
                            other_top = tl.load(noted, cache_modifier=".cg")
                            other_mass = tl.load(noted + ROWS, cache_modifier=".cg")
                            other_at = partial + theirs * (ROWS * TILE_D) + inner
                            other_acc = tl.load(other_at, cache_modifier=".cg")
                            higher = tl.maximum(top, other_top)
                            safe = tl.where(higher == -float("inf"), 0.0, higher)
                            shrink, other_shrink = tl.exp2(top - safe), tl.exp2(other_top - safe)
                            mass = mass * shrink + other_mass * other_shrink
                            acc = acc * shrink[:, None] + other_acc * other_shrink[:, None]
                            top = higher
            if is_last:
                result = acc / tl.where(mass > 0, mass, 1.0)[:, None]
                tl.store(out + places, result.to(out.dtype.element_ty), mask=real)


def prefill_attention(
    q: Tensor,
    cache: LayerCache,
    sequences: FlatSequences,
    out: Tensor,
    most_tokens: int,
    least: int = 2,
    workspace: PrefillWorkspace | None = None,
) -> None:
    """Compute causal attention of the sequences that have several new tokens.

    Args:
        q: [tokens, heads, head_dim].
        cache: the layer's keys and values, those of these tokens included.
        sequences: of the batch.
        out: [tokens, heads, head_dim], dtype of `q`.
        most_tokens: at least as many as all these sequences have together.
        least: sequences with fewer new tokens are passed over; at least 1.
        workspace: for the model's shape; without one keys are not split.
    """
    _, heads, head_dim = q.shape
    _, kv_heads, block_size, _ = cache.k_pages.shape
    group, batch = heads // kv_heads, sequences.lengths.shape[0]
    tokens, wide = _tile_tokens(group, head_dim, q.dtype), q.dtype.itemsize == 2
    full = -(-most_tokens // tokens)
    splits = 1
    if workspace is not None:
        wanted = max(1, (1 << (workspace.programs.bit_length() - 1)) // (full * kv_heads))
        splits = min(1 << (wanted.bit_length() - 1), _MAX_SPLITS)
    # Each sequence may have one tile that is not full.
    _prefill_kernel[(full + batch, kv_heads, splits)](
        q,
        cache.k_pages,
        cache.v_pages,
        sequences.tables,
        sequences.lengths,
        sequences.starts,
        out,
        workspace and workspace.partial,
        workspace and workspace.statistics,
        workspace and workspace.counters,
        batch,
        1 if workspace is None else workspace.programs,
        sequences.tables.stride(0),
        cache.scale,
        GROUP=group,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        WINDOW=cache.window or 0,
        TOKENS=tokens,
        TILE_G=power_of_two(group),
        TILE_D=max(16, power_of_two(head_dim)),
        KEYS=_tile_keys(tokens * power_of_two(group), q),
        LEAST=least,
        SEQUENCES=max(_SEQUENCES, power_of_two(batch)),
        MAX_SPLITS=splits,
        LEAST_KEYS=_LEAST_KEYS,
        PRECISION=precision(q),
        **options(8 if head_dim > 64 else 4, 3 if wide else 1),
    )


def _tile_keys(rows: int, q: Tensor) -> int:
    """Return how many keys are in a tile: as many as fit into shared memory with all else.

    For heads of 256 (Gemma 3) 64 would take 104 KiB of a block, and cards for players have 99. Rows
    of 8 bits become numbers there.
    """
    keys, width = (64 if q.dtype.itemsize == 2 else 32), max(16, power_of_two(q.shape[2]))
    most = card_of(q.device).shared_memory
    while keys > 16 and ((rows + 2 * keys) * width + rows * keys) * q.dtype.itemsize > most:
        keys //= 2
    return keys


def _tile_tokens(group: int, head_dim: int, dtype: torch.dtype) -> int:
    """Return of how many tokens the heads of a group make a tile; wide heads take more memory."""
    rows = 128 if dtype.itemsize == 2 else 32
    if head_dim > 128:
        rows //= 2
    return max(rows // power_of_two(group), 1)
