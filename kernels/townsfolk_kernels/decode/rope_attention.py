"""Attention of a decode step of several sequences: norm, rotary embedding, write and attention.

The projection before leaves queries, keys and values as sums. What is still to be done for them is
little for one sequence, but in the epilogue of a product of many rows it took longer than the
product: 15 us instead of 8 for 64 rows (Llama-3.2-1B, H200).
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.decode.attention import (
    KEYS,
    DecodeWorkspace,
    attend,
    attend_to_pages,
    merge,
    page_offsets,
    quantized,
    rms_factors,
    rotated,
    row_offsets,
    scales_at,
    stages_in_flight,
)
from townsfolk_kernels.decode.operands import AttentionLaunch, Heads, RowNorm, Sequences
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import (
    options,
    power_of_two,
    precision,
)
from townsfolk_kernels.pages import QUANTIZED

_PROGRAMS, _MOST_SPLITS = 3, 16  # for each multiprocessor, and of one sequence and head
# One sequence alone takes more programs with less shared memory each: the projection before uses
# none, and a multiprocessor that has to give more of it to the next kernel first runs empty: with
# 96 KB for each of two, 1,536 positions took 0.88 ms a step, with 18 KB for each of four 0.80
# (Llama-3.2-1B, H200), and 30,000 took 1.24 and 1.09.
_SINGLE_PROGRAMS, _MOST_SINGLE_SPLITS = 4, 64
_SINGLE_BYTES = 32 * 1024  # of keys and values that one of them waits for and works on
_LEAST_KEYS = 32  # of one program, where several share a sequence
# Measured on an H200 for 4 to 64 sequences of 564 positions, 8 key heads of 64 and 128: tiles of 32
# to 128 keys, 2 and 4 warps, 2 to 6 stages. With 4 warps and 2 stages, 32 sequences took 19.7 us
# instead of 14.8, and 29.1 instead of 23.6. Heads of 256 would need more registers than there are.
_WARPS, _WIDE_WARPS = 2, 4
# Rows of 8 bits become numbers in registers: with those of 16 bits they would be spilled (compiled
# for 8.0 and 9.0).
_WARPS_IN_8_BITS, _KEYS_IN_8_BITS = {128: 4, 256: 8}, {256: 32}


@kernel(do_not_specialize=["batch"])
def _step_kernel(
    qkv,
    squares,
    bias,
    rotation,
    k_pages,
    v_pages,
    tables,
    positions,
    rows,
    out,
    partial,
    statistics,
    counters,
    table_stride,
    batch,
    scale,
    eps,
    q_norm,
    k_norm,
    head_eps,
    HIDDEN: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HEADS_NORMED: tl.constexpr,
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
    AHEAD: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
):
    sequence, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    dtype = out.dtype.element_ty
    HAS_SCALES: tl.constexpr = k_pages.dtype.element_ty == tl.int8
    row = tl.load(rows + sequence)
    position = tl.load(positions + sequence)
    length = tl.where(row >= 0, position + 1, 0)
    stored = position  # positions in the pages; the new one comes from `qkv`
    table = tables + tl.maximum(row, 0) * table_stride
    begin = 0
    if WINDOW > 0:
        begin = tl.maximum(length - WINDOW, 0)
    # How many programs share the sequence depends on its length now, not on the graph.
    most = tl.num_programs(2)
    parts = tl.minimum(tl.maximum((stored - begin + LEAST - 1) // LEAST, 1), most)
    if (split < parts) & (length > 0):
        span = (stored - begin + parts - 1) // parts
        low = begin + split * span
        high = tl.minimum(low + span, stored)
        h, d, t = tl.arange(0, TILE_H), tl.arange(0, TILE_D), tl.arange(0, KEYS)
        real_d = d[None, :] < HEAD_DIM
        if AHEAD:
            # These pages were written in earlier steps.
            key = low + t
            inside = key < high
            at = page_offsets(
                table, key, kv_head, inside, KV_HEADS, BLOCK_SIZE, HEAD_DIM, HAS_SCALES
            )
            places = at[:, None] + d[None, :]
            k = tl.load(k_pages + places, mask=inside[:, None] & real_d, other=0)
            v = tl.load(v_pages + places, mask=inside[:, None] & real_d, other=0)
            if HAS_SCALES:
                k_at = scales_at(k_pages, at, key % BLOCK_SIZE, BLOCK_SIZE, HEAD_DIM)
                v_at = scales_at(v_pages, at, key % BLOCK_SIZE, BLOCK_SIZE, HEAD_DIM)
                k_scales = tl.load(k_at, mask=inside, other=0.0)
                v_scales = tl.load(v_at, mask=inside, other=0.0)
        # All of a new token's tiles are of one shape, repeated over the heads, so that they have
        # one layout: each change of layout is a way through shared memory, which all wait for.
        block, inner = tl.load(table + position // BLOCK_SIZE), position % BLOCK_SIZE
        slot = row_offsets(block, kv_head, inner, KV_HEADS, BLOCK_SIZE, HEAD_DIM, HAS_SCALES)
        real = (h[:, None] < GROUP) & real_d
        row_of_head = h[:, None] * 0 + d[None, :]
        turn = tl.load(rotation + position * HEAD_DIM + row_of_head, mask=real, other=0.0)
        if DEPENDENT:
            gdc_wait()
        if SIGNALS:
            gdc_launch_dependents()

        p = tl.arange(0, triton.next_power_of_2(PARTS))
        sums = tl.load(squares + p * batch + sequence, mask=p < PARTS, other=0.0)
        HEADS: tl.constexpr = GROUP * KV_HEADS
        own = sequence * ((HEADS + 2 * KV_HEADS) * HEAD_DIM)
        q_at = (kv_head * GROUP + h[:, None]) * HEAD_DIM
        k_at = (HEADS + kv_head + h[:, None] * 0) * HEAD_DIM
        queries = tl.load(qkv + own + q_at + d[None, :], mask=real, other=0.0)
        new_k = tl.load(qkv + own + k_at + d[None, :], mask=real, other=0.0)
        v_at = k_at + KV_HEADS * HEAD_DIM + d[None, :]
        new_v = tl.load(qkv + own + v_at, mask=real, other=0.0)
        norm = tl.rsqrt(tl.sum(sums, axis=0) / HIDDEN + eps)
        queries, new_k, new_v = queries * norm, new_k * norm, new_v * norm
        if HAS_BIAS:
            queries += tl.load(bias + q_at + d[None, :], mask=real, other=0.0).to(tl.float32)
            new_k += tl.load(bias + k_at + d[None, :], mask=real, other=0.0).to(tl.float32)
            new_v += tl.load(bias + v_at, mask=real, other=0.0).to(tl.float32)
        if HEADS_NORMED:
            q_weight = tl.load(q_norm + row_of_head, mask=real, other=0.0)
            k_weight = tl.load(k_norm + row_of_head, mask=real, other=0.0)
            queries *= rms_factors(queries, head_eps, HEAD_DIM) * q_weight
            new_k *= rms_factors(new_k, head_eps, HEAD_DIM) * k_weight
        queries = rotated(queries, turn).to(dtype)
        new_k = rotated(new_k, turn).to(dtype)
        new_v = new_v.to(dtype)
        is_newest = split == parts - 1
        written = real & (h[:, None] == 0) & is_newest
        if HAS_SCALES:
            k_codes, k_scale = quantized(new_k.to(tl.float32))
            v_codes, v_scale = quantized(new_v.to(tl.float32))
            k_at = scales_at(k_pages, slot + h * 0, inner, BLOCK_SIZE, HEAD_DIM)
            v_at = scales_at(v_pages, slot + h * 0, inner, BLOCK_SIZE, HEAD_DIM)
            tl.store(k_at, k_scale, mask=(h == 0) & is_newest)
            tl.store(v_at, v_scale, mask=(h == 0) & is_newest)
            # What other steps will read.
            new_k, new_v = k_codes * k_scale[:, None], v_codes * v_scale[:, None]
        else:
            k_codes, v_codes = new_k, new_v
        pages_dtype = k_pages.dtype.element_ty
        at_slot = slot + row_of_head
        tl.store(k_pages + at_slot, k_codes.to(pages_dtype), mask=written)
        tl.store(v_pages + at_slot, v_codes.to(pages_dtype), mask=written)
        # The running softmax begins with the new token.
        score = tl.sum(queries.to(tl.float32) * new_k.to(tl.float32), axis=1) * scale
        top = tl.where(is_newest, score, -float("inf"))
        mass = tl.where(is_newest, tl.full([TILE_H], 1.0, tl.float32), 0.0)
        acc = tl.where(is_newest, new_v.to(tl.float32), 0.0)
        if AHEAD:
            if HAS_SCALES:
                top, mass, acc = attend(
                    queries, k, v, inside, scale, top, mass, acc, PRECISION, k_scales, v_scales
                )
            else:
                top, mass, acc = attend(queries, k, v, inside, scale, top, mass, acc, PRECISION)
            low += KEYS
        top, mass, acc = attend_to_pages(
            queries, k_pages, v_pages, table, low, high, kv_head, scale, top, mass, acc, KV_HEADS,
            BLOCK_SIZE, HEAD_DIM, TILE_D, KEYS, STAGES, PRECISION,
        )  # fmt: skip

        whole = out + (sequence * KV_HEADS + kv_head) * (GROUP * HEAD_DIM)
        if SPLITS > 1:
            merge(
                partial, statistics, counters, sequence * KV_HEADS + kv_head, split, parts, top,
                mass, acc, whole, GROUP, HEAD_DIM, TILE_G, TILE_H, TILE_D, SPLITS,
            )  # fmt: skip
        else:
            result = acc / tl.where(mass > 0, mass, 1.0)[:, None]
            tl.store(whole + h[:, None] * HEAD_DIM + d[None, :], result.to(dtype), mask=real)
    elif DEPENDENT:  # noqa: SIM102  known when it is compiled
        # Where no place is used, somebody must still wait: see `gpu.launch`.
        if (sequence == 0) & (kv_head == 0) & (split == 0):
            gdc_wait()


def _warps(tile_d: int, ahead: bool) -> int:
    """Return the warps of a program, so many that no thread keeps registers in memory."""
    if tile_d <= 128:
        return _WARPS
    return 2 * _WIDE_WARPS if ahead else _WIDE_WARPS


def step_splits(sequences: int, kv_heads: int, processors: int) -> int:
    """Return the most programs that share the keys of one sequence and head, to fill the device."""
    if sequences == 1:
        wanted = max(1, _SINGLE_PROGRAMS * processors // kv_heads)
        return min(wanted, _MOST_SINGLE_SPLITS)
    wanted = max(1, _PROGRAMS * processors // (sequences * kv_heads))
    return min(1 << (wanted.bit_length() - 1), _MOST_SPLITS)


def step_programs(sequences: int, kv_heads: int, processors: int) -> int:
    """Return the most programs of a step of up to so many sequences, for `DecodeWorkspace`."""
    single = power_of_two(step_splits(1, kv_heads, processors)) * kv_heads
    return max(_PROGRAMS * processors, sequences * kv_heads, single)


def rope_store_attend(
    qkv: Tensor,
    norm: RowNorm,
    layer: Heads,
    sequences: Sequences,
    out: Tensor,
    workspace: DecodeWorkspace,
    launch: AttentionLaunch,
) -> None:
    """Compute the attention of a decode step: one new token a sequence.

    Divides the fused projection by the rms of its row, normalises and rotates queries and keys,
    writes the new keys and values into the pages, and attends to all positions up to the new one.
    How many programs share a sequence is decided on the device, by its length.

    Args:
        qkv: [batch, (heads + 2 * kv_heads) * head_dim], fp32: the projection of the residual
            stream times the norm's weight.
        norm: what is left of that norm.
        layer: the layer's heads.
        sequences: those that decode.
        out: [batch, heads, head_dim], dtype of the activations.
        workspace: for at least batch * kv_heads * splits programs, the launch's splits rounded up
            to a power of two.
        launch: how programs share the keys, and when they begin.
    """
    splits, dependent, ahead = launch.splits, launch.dependent, launch.ahead
    batch, heads, head_dim = out.shape
    k_pages, heads_norm = layer.k_pages, layer.norm
    _, kv_heads, block_size, _ = k_pages.shape
    group = heads // kv_heads
    tile_d = max(16, power_of_two(head_dim))
    keys, stages, warps = KEYS, stages_in_flight(k_pages), _warps(tile_d, ahead)
    if k_pages.dtype == QUANTIZED:
        keys, warps = _KEYS_IN_8_BITS.get(tile_d, KEYS), _WARPS_IN_8_BITS.get(tile_d, warps)
    if batch == 1:
        row = 2 * tile_d * out.element_size()
        keys = max(min(_SINGLE_BYTES // (2 * row), keys), 16)
        stages = max(min(_SINGLE_BYTES // (keys * row), stages), 1)
    _step_kernel[(batch, kv_heads, splits)](
        qkv,
        norm.squares,
        layer.bias,
        layer.rotation,
        k_pages,
        layer.v_pages,
        sequences.tables,
        sequences.positions,
        sequences.rows,
        out,
        workspace.partial,
        workspace.statistics,
        workspace.counters,
        sequences.tables.stride(0),
        batch,
        layer.scale,
        norm.eps,
        heads_norm and heads_norm.queries,
        heads_norm and heads_norm.keys,
        0.0 if heads_norm is None else heads_norm.eps,
        HIDDEN=norm.width,
        PARTS=norm.squares.shape[0],
        HAS_BIAS=layer.bias is not None,
        HEADS_NORMED=heads_norm is not None,
        GROUP=group,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        WINDOW=layer.window or 0,
        TILE_G=power_of_two(group),
        TILE_H=max(16, power_of_two(group)),
        TILE_D=tile_d,
        KEYS=keys,
        SPLITS=power_of_two(splits),
        LEAST=_LEAST_KEYS,
        STAGES=stages,
        PRECISION=precision(out),
        AHEAD=ahead,
        DEPENDENT=dependent,
        SIGNALS=card_of(out.device).has_dependent_launch,
        **options(warps, stages, dependent),
    )
