"""A decode step of a whole decoder in one call: a token of each sequence, from embedding to logits.

Outside of products a step would mostly consist of calls: some forty a layer, each with threads to
wake. Instead the threads of a team go through all layers by themselves, five phases each;
between two phases they wait awake, for a microsecond. Numbers are fp32 throughout, but for weights,
keys and values.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numba import types
from numba.np.numpy_support import from_dtype

from townsfolk_kernels.compiled.attention import attend_bf16, attend_fp32, combine
from townsfolk_kernels.compiled.blocks import COLUMNS, QUANTIZED_BYTES, quantize
from townsfolk_kernels.compiled.compiler import compiled, entry
from townsfolk_kernels.compiled.low_rank import expand, shrink
from townsfolk_kernels.compiled.products import PART, WEIGHT, multiply_group
from townsfolk_kernels.compiled.team import enter, finish, leave, take, wait
from townsfolk_kernels.compiled.vectors import (
    LANES,
    add,
    divide,
    exponential,
    greater,
    load,
    load_int64,
    load_scalar,
    multiply,
    multiply_add,
    splat,
    store,
    store_scalar,
    total,
)

_CHUNKS = 16  # of a product, for each thread of the team
MOST_GROUPS = 8  # of 16 rows, in a chunk


class Kind(IntEnum):
    """What a phase does."""

    PRODUCT = 0
    ATTENTION = 1
    ADD = 2
    """Normalise what a block gave, and add it to the residual stream."""
    SHRINK = 3
    """Compute `A x` of each row and its adapter, for the product that follows."""
    PREPARE = 4
    """In a step with prompts: bring the rows of the product that follows into 8 bits."""
    TURN = 5
    """Likewise: rotate a prompt's queries, and write its keys and values into its pages."""
    NORM = 6
    """Likewise: normalise rows, from `source` to `target`."""


class Input(IntEnum):
    """What a product multiplies."""

    ROWS = 0
    """What stands at `source`."""
    NORMED = 1
    """That, normalised."""
    ATTENDED = 2
    """The result of attention, put together from its splits."""


class Output(IntEnum):
    """What becomes of a product."""

    STORE = 0
    """Written to `target`."""
    ADD = 1
    """Added to what stands there, times `multiplier`."""
    ACTIVATE = 2
    """Its activation is written to `target`."""
    GATE = 3
    """The first half of its columns is activated and multiplied with the second."""


class Activation(IntEnum):
    """What a feed-forward block does between its products."""

    SILU = 0
    GELU_TANH = 1
    RELU_SQUARED = 2


PHASE = np.dtype(
    [
        ("kind", np.int64),
        # Of a product.
        ("input", np.int64),
        ("source", np.int64),  # address of [count, weight.columns] fp32
        ("weight", WEIGHT),
        ("quantized", np.int64),  # whether a part of the weight is in blocks
        ("output", np.int64),
        ("activation", np.int64),
        ("parts", np.int64),  # to which adapters add something; 0 where there are no adapters
        ("first_end", np.int64),  # one past the last rows of the first two of them
        ("second_end", np.int64),
        ("projection", np.int64),  # the number of their entries
        # Of a product, or of a sum.
        ("norm", np.int64),  # address of the norm's weights, fp32
        ("eps", np.float64),
        ("target", np.int64),  # address of fp32
        ("multiplier", np.float64),
        # Of attention.
        ("heads", np.int64),
        ("kv_heads", np.int64),
        ("head_dim", np.int64),  # a multiple of 16
        ("q_norm", np.int64),  # addresses of the norms' weights, fp32; 0 for none
        ("k_norm", np.int64),
        ("rotation", np.int64),  # address of [count, head_dim / 2, 2] fp32
        ("window", np.int64),  # 0 for none
        ("scale", np.float64),
        ("k_pages", np.int64),  # address of [blocks, kv_heads, block_size, head_dim]
        ("v_pages", np.int64),
    ]
)
"""A part of a step that all of its threads do together, before the next one begins."""
STEP = np.dtype(
    [
        ("team", np.int64),  # address of its state
        ("threads", np.int64),
        ("count", np.int64),  # sequences that decode, the first ones
        ("block_size", np.int64),
        ("pages_are_bf16", np.int64),  # else they are fp32
        ("positions", np.int64),  # [count] int64
        ("tables", np.int64),  # [count, table_stride] int32
        ("table_stride", np.int64),
        ("splits", np.int64),  # of all sequences
        ("split_sequences", np.int64),  # [splits] int64
        ("split_numbers", np.int64),  # [splits] int64, of each sequence from 0
        ("split_starts", np.int64),  # [count + 1] int64
        ("qkv", np.int64),  # [count, (heads + 2 * kv_heads) * head_dim] fp32
        ("partials", np.int64),  # [splits, heads, head_dim + EXTRA] fp32
        ("adapters", np.int64),  # [count] int64, addresses of their entries; 0 for none
        ("units", np.int64),  # of 16 ranks, that one part of a row has at most
        ("shrunk", np.int64),  # [count, 3 * units * 16] fp32
        ("scratch", np.int64),  # of all threads
        ("scratch_bytes", np.int64),  # of each: see `scratch_bytes`
        # Of a step with prompts; see `townsfolk_kernels.compiled.prompt`.
        ("rows", np.int64),  # tokens: one of each sequence that decodes, then those of prompts
        ("slots", np.int64),  # [rows] int64: block * block_size + offset of keys and values
        ("ends", np.int64),  # [rows] int64: whether it is the last token of its sequence
        ("tiles", np.int64),  # of prompts
        ("tile_table", np.int64),  # [tiles, 3] int64: first row, rows, sequence
        ("quantized", np.int64),  # rows of a product, in 8 bits
        ("attended", np.int64),  # [rows, heads * head_dim] fp32
    ]
)


def scratch_bytes(count: int, widest: int, group: int, head_dim: int, block_size: int) -> int:
    """Return the bytes of its own that a thread needs in a step that only decodes.

    Args:
        count: sequences at most.
        widest: input columns of the widest product.
        group: query heads of a key head, at most.
        head_dim: the greatest.
        block_size: of pages.
    """
    attention = group * head_dim + max(head_dim, block_size + LANES)
    rows = 4 * widest + widest // COLUMNS * QUANTIZED_BYTES
    needed = max(count * (8 * MOST_GROUPS * LANES + rows), 4 * attention)
    return needed + 128 - needed % 64  # threads share no cache line


@compiled
def normalise(source, count, hidden, weight, eps, target):
    """Write rows [count, hidden] fp32, normalised, to `target`, which may be `source`."""
    for row in range(count):
        begin = source + 4 * hidden * row
        out = target + 4 * hidden * row
        squares = splat(0.0)
        for at in range(0, 4 * hidden, 4 * LANES):
            value = load(begin + at)
            squares = multiply_add(value, value, squares)
        scale = splat(1.0 / math.sqrt(total(squares) / hidden + eps))
        for at in range(0, 4 * hidden, 4 * LANES):
            scaled = multiply(load(begin + at), scale)
            store(out + at, multiply(scaled, load(weight + at)))


@compiled
def _activate(kind, x):
    if kind == Activation.RELU_SQUARED:
        x = greater(x, splat(0.0))
        return multiply(x, x)
    inner = x
    if kind == Activation.GELU_TANH:
        inner = multiply_add(multiply(multiply(x, x), x), splat(0.044715), x)
        inner = multiply(inner, splat(1.5957691216057308))  # 2 * sqrt(2 / pi)
    # Below -87, where the exponential ends, the result is 0 but for 1e-36.
    inner = greater(splat(-87.0), multiply(inner, splat(-1.0)))
    return divide(x, add(splat(1.0), exponential(inner)))


@compiled
def deliver(phase, width, group, first, count, tile, other):
    """Do with a product what `phase.output` says.

    Args:
        phase: of the product.
        width: columns of the result.
        group: which 16 of them.
        first: the first row of the result.
        count: rows.
        tile: address of [count, 16] fp32, what was multiplied.
        other: address of the second half's, where `Output.GATE`.
    """
    for row in range(count):
        result, up = tile + 4 * LANES * row, other + 4 * LANES * row
        target = phase.target + 4 * (width * (first + row) + LANES * group)
        if phase.output == Output.STORE:
            _store(result, width - LANES * group, target)
        elif phase.output == Output.ADD:
            scaled = multiply(load(result), splat(phase.multiplier))
            store(target, add(scaled, load(target)))
        elif phase.output == Output.ACTIVATE:
            store(target, _activate(phase.activation, load(result)))
        else:
            activated = _activate(phase.activation, load(result))
            store(target, multiply(activated, load(up)))


@compiled
def _combine_all(step, phase, target):
    for sequence in range(step.count):
        combine(step, phase, sequence, target + 4 * phase.heads * phase.head_dim * sequence)


@compiled
def _multiply(step, phase, parts, number, scratch):
    """Multiply with a weight."""
    weight, count = phase.weight, step.count
    columns = weight.columns
    gated = phase.output == Output.GATE
    width = weight.rows // 2 if gated else weight.rows
    groups = (width + LANES - 1) // LANES
    size = min(max(1, groups // (_CHUNKS * step.threads)), MOST_GROUPS)
    chunks = (groups + size - 1) // size
    tile, x = scratch, phase.source
    tile_bytes = 4 * LANES * count
    other = tile + MOST_GROUPS * tile_bytes
    own = other + MOST_GROUPS * tile_bytes
    quantized = own + 4 * count * columns
    row_bytes = columns // COLUMNS * QUANTIZED_BYTES
    chunk = take(step.team, number)
    if chunk < chunks:
        # Each thread does this for itself, which costs less than to wait for one that does.
        if phase.input == Input.NORMED:
            normalise(x, count, columns, phase.norm, phase.eps, own)
            x = own
        elif phase.input == Input.ATTENDED:
            _combine_all(step, phase, own)
            x = own
        if phase.quantized != 0:
            for row in range(count):
                quantize(x + 4 * columns * row, columns, quantized + row_bytes * row)
    while chunk < chunks:
        first, end = chunk * size, min(chunk * size + size, groups)
        # All of the gate's rows before the others: they lie far apart.
        for half in range(2 if gated else 1):
            out = other if half else tile
            for group in range(first, end):
                at = half * groups + group
                multiply_group(parts, weight, at, x, quantized, count, out)
                if phase.parts > 0:
                    _expand(step, phase, at, out)
                out += tile_bytes
        for group in range(first, end):
            at = (group - first) * tile_bytes
            deliver(phase, width, group, 0, count, tile + at, other + at)
        finish(step.team, number)
        chunk = take(step.team, number)
    wait(step.team, number, chunks)


@compiled
def _shrink(step, phase, number, scratch):
    """Multiply rows with A of their adapters."""
    columns, units = phase.weight.columns, phase.parts * step.units
    items, x = step.count * units, phase.source
    item = take(step.team, number)
    if item < items:
        if phase.input == Input.NORMED:
            normalise(x, step.count, columns, phase.norm, phase.eps, scratch)
            x = scratch
        elif phase.input == Input.ATTENDED:
            _combine_all(step, phase, scratch)
            x = scratch
    while item < items:
        # Rows that share an adapter find it in the cache.
        row, unit = item % step.count, item // step.count
        table = load_int64(step.adapters + 8 * row)
        target = step.shrunk + 4 * LANES * 3 * step.units * row
        source = x + 4 * columns * row
        shrink(table, phase.projection, phase.parts, unit, source, columns, target)
        finish(step.team, number)
        item = take(step.team, number)
    wait(step.team, number, items)


@compiled
def _expand(step, phase, group, tile):
    """Add to a product with 16 rows of a weight what the adapters of its rows change."""
    part = 0
    if LANES * group >= phase.first_end:
        part = 2 if LANES * group >= phase.second_end else 1
    for row in range(step.count):
        table = load_int64(step.adapters + 8 * row)
        shrunk = step.shrunk + 4 * LANES * 3 * step.units * row
        expand(table, phase.projection, part, group, shrunk, tile + 4 * LANES * row)


@compiled
def _store(result, rows, target):
    """Store the results [16] of some rows of a weight, of up to 16."""
    if rows >= LANES:
        store(target, load(result))
        return
    for at in range(0, 4 * rows, 4):
        store_scalar(target + at, load_scalar(result + at))


@compiled
def attend(step, phase, item, scratch):
    """Compute attention of a split and key head, numbered together."""
    if step.pages_are_bf16 != 0:
        attend_bf16(step, phase, item, scratch)
    else:
        attend_fp32(step, phase, item, scratch)


@compiled
def _attend(step, phase, number, scratch):
    items = step.splits * phase.kv_heads
    item = take(step.team, number)
    while item < items:
        attend(step, phase, item, scratch)
        finish(step.team, number)
        item = take(step.team, number)
    wait(step.team, number, items)


@compiled
def add_normed(step, phase, number, rows):
    """Normalise what a block gave, and add it to the residual stream."""
    columns = phase.weight.columns
    row = take(step.team, number)
    while row < rows:
        source, target = phase.source + 4 * columns * row, phase.target + 4 * columns * row
        normalise(source, 1, columns, phase.norm, phase.eps, source)
        for at in range(0, 4 * columns, 4 * LANES):
            scaled = multiply(load(source + at), splat(phase.multiplier))
            store(target + at, add(scaled, load(target + at)))
        finish(step.team, number)
        row = take(step.team, number)
    wait(step.team, number, rows)


@entry(
    types.void(from_dtype(STEP)[::1], from_dtype(PHASE)[::1], from_dtype(PART)[::1], types.int64)
)
def run_step(steps, phases, parts, thread):
    """Take part in a step as one of its team's threads; 0 is the leader.

    Args:
        steps: [1], a `STEP`.
        phases: [phases], `PHASE`s, one after the other.
        parts: of all weights, `PART`s.
        thread: number of the thread.
    """
    step = steps[0]
    if not enter(step.team):
        return
    scratch = step.scratch + thread * step.scratch_bytes
    for number in range(len(phases)):
        phase = phases[number]
        if phase.kind == Kind.PRODUCT:
            _multiply(step, phase, parts, number, scratch)
        elif phase.kind == Kind.ATTENTION:
            _attend(step, phase, number, scratch)
        elif phase.kind == Kind.SHRINK:
            _shrink(step, phase, number, scratch)
        else:
            add_normed(step, phase, number, step.count)
    leave(step.team, thread == 0)
