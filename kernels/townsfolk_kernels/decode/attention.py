"""Attention of one token a sequence over paged keys and values, with split KV.

That is flash-decoding (Dao et al. 2023). All query heads that share a key head are one tile, so
keys and values are read once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.operands import FlatSequences, LayerCache
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import (
    options,
    power_of_two,
    precision,
)

MAX_SPLITS = 32
_MOST_USUAL = 16
_PROGRAMS = 2  # for each multiprocessor
_LEAST_PLACES, _PLACES = 8, 256  # of sequences, and of them times splits
KEYS = 64  # positions in one tile
_MOST_STAGES, _TILE_STAGES = 6, 3
_WARPS = 2  # heads of 256 take twice as many: with two, 176 bytes of a thread lay in memory (sm_80)


@triton.jit
def row_offsets(
    block, kv_head, inner, KV_HEADS: tl.constexpr, BLOCK_SIZE: tl.constexpr, DIM: tl.constexpr,
    HAS_SCALES: tl.constexpr = False,
):  # fmt: skip
    """Return where rows `inner` of blocks begin, in elements; see `townsfolk_kernels.pages`."""
    piece = block.to(tl.int64) * KV_HEADS + kv_head
    return piece * (BLOCK_SIZE * (DIM + (4 if HAS_SCALES else 0))) + inner * DIM


@triton.jit
def rms_factors(values, eps, HEAD_DIM: tl.constexpr):
    """Return [rows, 1]: 1 / rms of the rows of `values`, which are zero from HEAD_DIM on."""
    return tl.rsqrt(tl.sum(values * values, axis=1) / HEAD_DIM + eps)[:, None]


@triton.jit
def rotated(values, turn):
    """Turn each pair of `values` [rows, width] by the cosine and sine in its place in `turn`.

    Both are of one shape and layout, in which a pair lies in one thread.
    """
    ROWS: tl.constexpr = values.shape[0]
    WIDTH: tl.constexpr = values.shape[1]
    even, odd = tl.split(tl.reshape(values, [ROWS, WIDTH // 2, 2]))
    cos, sin = tl.split(tl.reshape(turn, [ROWS, WIDTH // 2, 2]))
    return tl.reshape(tl.join(even * cos - odd * sin, even * sin + odd * cos), [ROWS, WIDTH])


@triton.jit
def page_offsets(
    table, key, kv_head, inside, KV_HEADS: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    DIM: tl.constexpr, HAS_SCALES: tl.constexpr = False,
):  # fmt: skip
    """Return where the rows of positions `key` [n] begin in the pages, in elements."""
    block = tl.load(table + key // BLOCK_SIZE, mask=inside, other=0)
    return row_offsets(block, kv_head, key % BLOCK_SIZE, KV_HEADS, BLOCK_SIZE, DIM, HAS_SCALES)


@triton.jit
def scales_at(pages, row, inner, BLOCK_SIZE: tl.constexpr, DIM: tl.constexpr):
    """Return the address of the scale of the row at `row`, which is number `inner` of its block."""
    at = pages + row + (BLOCK_SIZE - inner) * DIM + 4 * inner
    return at.to(tl.pointer_type(tl.float32), bitcast=True)


@triton.jit
def quantized(rows):
    """Return whole numbers and scales of `rows` [n, d] fp32; see `townsfolk_kernels.pages`."""
    scales = tl.max(tl.abs(rows), axis=1) / 127.0
    steps = rows / tl.where(scales > 0, scales, 1.0)[:, None]
    return tl.minimum(tl.maximum(tl.floor(steps + 0.5), -127.0), 127.0), scales


@triton.jit
def attend(
    queries, k, v, inside, scale, top, mass, acc, PRECISION: tl.constexpr, k_scales=None,
    v_scales=None,
):  # fmt: skip
    """Add one tile of keys to the running softmax: its maximum, its mass, the weighted values.

    Rows of 8 bits have scales, which come to the scores and the weights instead.
    """
    scores = tl.dot(queries, tl.trans(k.to(queries.dtype)), input_precision=PRECISION) * scale
    if k_scales is not None:
        scores *= k_scales[None, :]
    scores = tl.where(inside[None, :], scores, -float("inf"))
    higher = tl.maximum(top, tl.max(scores, axis=1))
    safe = tl.where(higher == -float("inf"), 0.0, higher)  # a program may have no keys
    weights = tl.exp(scores - safe[:, None])
    shrink = tl.exp(top - safe)
    mass = mass * shrink + tl.sum(weights, axis=1)
    if v_scales is not None:
        weights *= v_scales[None, :]
    weights, v = weights.to(queries.dtype), v.to(queries.dtype)
    acc = tl.dot(weights, v, acc * shrink[:, None], input_precision=PRECISION)
    return higher, mass, acc


@triton.jit
def attend_to_pages(
    queries, k_pages, v_pages, table, low, high, kv_head, scale, top, mass, acc,
    KV_HEADS: tl.constexpr, BLOCK_SIZE: tl.constexpr, HEAD_DIM: tl.constexpr, TILE_D: tl.constexpr,
    KEYS: tl.constexpr, STAGES: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Add positions from `low` up to `high` to the running softmax, in tiles of KEYS."""
    HAS_SCALES: tl.constexpr = k_pages.dtype.element_ty == tl.int8
    d, t = tl.arange(0, TILE_D), tl.arange(0, KEYS)
    for first in tl.range(low, high, KEYS, num_stages=STAGES):
        place = first + t
        inside = place < high
        at = page_offsets(table, place, kv_head, inside, KV_HEADS, BLOCK_SIZE, HEAD_DIM, HAS_SCALES)
        seen, where = inside[:, None] & (d[None, :] < HEAD_DIM), at[:, None] + d[None, :]
        keys = tl.load(k_pages + where, mask=seen, other=0)
        values = tl.load(v_pages + where, mask=seen, other=0)
        if HAS_SCALES:
            inner = place % BLOCK_SIZE
            k_at = scales_at(k_pages, at, inner, BLOCK_SIZE, HEAD_DIM)
            v_at = scales_at(v_pages, at, inner, BLOCK_SIZE, HEAD_DIM)
            k_scales = tl.load(k_at, mask=inside, other=0.0)
            v_scales = tl.load(v_at, mask=inside, other=0.0)
            top, mass, acc = attend(
                queries, keys, values, inside, scale, top, mass, acc, PRECISION, k_scales, v_scales
            )
        else:
            top, mass, acc = attend(queries, keys, values, inside, scale, top, mass, acc, PRECISION)
    return top, mass, acc


@triton.jit
def merge(
    partial, statistics, counters, pair, split, count, top, mass, acc, out,
    GROUP: tl.constexpr, HEAD_DIM: tl.constexpr, TILE_G: tl.constexpr, TILE_H: tl.constexpr,
    TILE_D: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """Leave what a program has; the last one of `count` writes the whole of its heads to `out`.

    The counter is zero before and after.
    """
    h, d = tl.arange(0, TILE_H), tl.arange(0, TILE_D)
    is_kept = h < TILE_G
    own = pair * SPLITS + split
    at = partial + own * (TILE_G * TILE_D) + h[:, None] * TILE_D + d[None, :]
    tl.store(at, acc, mask=is_kept[:, None])
    tl.store(statistics + own * (2 * TILE_G) + h, top, mask=is_kept)
    tl.store(statistics + own * (2 * TILE_G) + TILE_G + h, mass, mask=is_kept)
    tl.debug_barrier()  # all threads have stored before one of them says so
    if tl.atomic_add(counters + pair, 1, sem="acq_rel") == count - 1:
        g = tl.arange(0, TILE_G)
        highest = tl.full([TILE_G], -float("inf"), tl.float32)
        whole = tl.zeros([TILE_G], tl.float32)
        merged = tl.zeros([TILE_G, TILE_D], tl.float32)
        # Many at once: one after the other, each would wait for memory on its own.
        ROOM: tl.constexpr = 8192 // (TILE_G * TILE_D) if TILE_G * TILE_D < 8192 else 1
        WIDE: tl.constexpr = SPLITS if SPLITS < ROOM else ROOM
        for first in tl.static_range(0, SPLITS, WIDE):
            s = first + tl.arange(0, WIDE)
            is_part = s[:, None] < count
            noted = statistics + (pair * SPLITS + s[:, None]) * (2 * TILE_G) + g[None, :]
            tops = tl.load(noted, mask=is_part, other=-float("inf"), cache_modifier=".cg")
            masses = tl.load(noted + TILE_G, mask=is_part, other=0.0, cache_modifier=".cg")
            parts_at = (pair * SPLITS + s[:, None, None]) * (TILE_G * TILE_D)
            parts_at += g[None, :, None] * TILE_D + d[None, None, :]
            parts = tl.load(
                partial + parts_at, mask=is_part[:, :, None], other=0.0, cache_modifier=".cg"
            )  # [WIDE, TILE_G, TILE_D]
            higher = tl.maximum(highest, tl.max(tops, axis=0))
            safe = tl.where(higher == -float("inf"), 0.0, higher)  # none may have had keys
            shrink = tl.exp(highest - safe)
            shares = tl.exp(tops - safe[None, :])
            whole = whole * shrink + tl.sum(shares * masses, axis=0)
            merged = merged * shrink[:, None] + tl.sum(parts * shares[:, :, None], axis=0)
            highest = higher
        merged = merged / tl.where(whole > 0, whole, 1.0)[:, None]  # [TILE_G, TILE_D]
        tl.store(counters + pair, 0)
        stored = (g[:, None] < GROUP) & (d[None, :] < HEAD_DIM)
        where = out + g[:, None] * HEAD_DIM + d[None, :]
        tl.store(where, merged.to(out.dtype.element_ty), mask=stored)


@kernel
def _decode_kernel(
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
    table_stride,
    scale,
    GROUP: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    WINDOW: tl.constexpr,
    TILE_G: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_D: tl.constexpr,
    KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    LEAST: tl.constexpr,
    STAGES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    sequence, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    token = tl.load(starts + sequence)
    is_single = tl.load(starts + sequence + 1) - token == 1
    length = tl.where(is_single, tl.load(lengths + sequence), 0)
    table = tables + sequence * table_stride
    begin = 0
    if WINDOW > 0:
        begin = tl.maximum(length - WINDOW, 0)
    # How many programs share the sequence depends on its length now, not on the graph.
    parts = tl.minimum(tl.maximum((length - begin + LEAST - 1) // LEAST, 1), SPLITS)
    if (split < parts) & (length > 0):
        span = (length - begin + parts - 1) // parts
        low = begin + split * span
        high = tl.minimum(low + span, length)
        h, d = tl.arange(0, TILE_H), tl.arange(0, TILE_D)
        whole = (token * KV_HEADS + kv_head) * (GROUP * HEAD_DIM)
        places = whole + h[:, None] * HEAD_DIM + d[None, :]
        real = (h[:, None] < GROUP) & (d[None, :] < HEAD_DIM)
        queries = tl.load(q + places, mask=real, other=0.0)
        top = tl.full([TILE_H], -float("inf"), tl.float32)
        mass = tl.zeros([TILE_H], tl.float32)
        acc = tl.zeros([TILE_H, TILE_D], tl.float32)
        top, mass, acc = attend_to_pages(
            queries, k_pages, v_pages, table, low, high, kv_head, scale, top, mass, acc, KV_HEADS,
            BLOCK_SIZE, HEAD_DIM, TILE_D, KEYS, STAGES, PRECISION,
        )  # fmt: skip
        result = acc / tl.where(mass > 0, mass, 1.0)[:, None]
        if SPLITS == 1:  # noqa: SIM114  known when it is compiled: there is no workspace
            tl.store(out + places, result.to(out.dtype.element_ty), mask=real)
        elif parts == 1:
            tl.store(out + places, result.to(out.dtype.element_ty), mask=real)
        else:
            merge(
                partial, statistics, counters, sequence * KV_HEADS + kv_head, split, parts, top,
                mass, acc, out + whole, GROUP, HEAD_DIM, TILE_G, TILE_H, TILE_D, SPLITS,
            )  # fmt: skip


def stages_in_flight(pages: Tensor) -> int:
    """Return the stages of a loop over tiles of keys and values.

    A tile takes three: its place is looked up in a table, then it is loaded, then multiplied. So
    there are as many as leave room for a second program on the multiprocessor.
    """
    tile = 2 * KEYS * max(16, power_of_two(pages.shape[3])) * pages.dtype.itemsize
    most = card_of(pages.device).shared_memory // tile
    return max(min(_TILE_STAGES * max(most // 2, 1), most, _MOST_STAGES), 1)


def most_programs(sequences: int, kv_heads: int, processors: int) -> int:
    """Return the most programs of any step of up to so many sequences, with splits from below."""
    return max(_PROGRAMS * processors, sequences * kv_heads, _PLACES * kv_heads)


class DecodeWorkspace:
    """Memory in which the programs that share a sequence and head meet."""

    __slots__ = ("counters", "partial", "statistics")

    def __init__(self, programs: int, group: int, head_dim: int, device: torch.device) -> None:
        """Take memory for `programs` programs: sequences * kv_heads * splits."""
        tile = power_of_two(group)
        width = max(16, power_of_two(head_dim))
        self.partial = torch.empty((programs, tile, width), device=device)  # fp32
        self.statistics = torch.empty((programs, 2, tile), device=device)
        self.counters = torch.zeros(programs, dtype=torch.int32, device=device)


@dataclass(frozen=True, slots=True)
class KeySplits:
    """How several programs share the keys of one sequence and head.

    Attributes:
        workspace: where they meet, for at least sequences * kv_heads * most programs.
        most: programs, at most MAX_SPLITS; the sequence's length now decides.
        least: keys of one program, where there are several.
    """

    workspace: DecodeWorkspace
    most: int
    least: int

    @classmethod
    def filling(
        cls, workspace: DecodeWorkspace, sequences: int, kv_heads: int, processors: int
    ) -> KeySplits:
        """Choose splits for a step of so many sequences.

        As many as fill the device with short contexts; more where one is longer than others.
        """
        places = power_of_two(max(sequences, _LEAST_PLACES))  # so few kernels serve all
        wanted = max(1, _PROGRAMS * processors // (places * kv_heads))
        usual = min(1 << (wanted.bit_length() - 1), _MOST_USUAL)
        most = max(usual, min(_PLACES // places, MAX_SPLITS))
        return cls(workspace, most, max(1024 // usual**2, 128))


def decode_attention(
    q: Tensor,
    cache: LayerCache,
    sequences: FlatSequences,
    out: Tensor,
    splits: KeySplits | None = None,
) -> None:
    """Compute attention of one token a sequence to all positions up to its own.

    Sequences with several tokens, or none, are passed over: their rows of `out` stay as they were.

    Args:
        q: [tokens, heads, head_dim].
        cache: the layer's keys and values, those of these tokens included.
        sequences: of the batch.
        out: [tokens, heads, head_dim], dtype of `q`.
        splits: how programs share the keys of a sequence; None for one program each.
    """
    _, heads, head_dim = q.shape
    _, kv_heads, block_size, _ = cache.k_pages.shape
    group, stages = heads // kv_heads, stages_in_flight(cache.k_pages)
    most, workspace = (1, None) if splits is None else (splits.most, splits.workspace)
    _decode_kernel[(sequences.lengths.shape[0], kv_heads, most)](
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
        sequences.tables.stride(0),
        cache.scale,
        GROUP=group,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        WINDOW=cache.window or 0,
        TILE_G=power_of_two(group),
        TILE_H=max(16, power_of_two(group)),
        TILE_D=max(16, power_of_two(head_dim)),
        KEYS=KEYS,
        SPLITS=most,
        LEAST=1 if splits is None else splits.least,
        STAGES=stages,
        PRECISION=precision(q),
        **options(_WARPS if head_dim <= 128 else 2 * _WARPS, stages),
    )
