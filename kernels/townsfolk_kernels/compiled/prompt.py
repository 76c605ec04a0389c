"""Steps with prompts, of a whole decoder in one call: from embeddings to the last norm.

As in a step that only decodes (see `townsfolk_kernels.compiled.step`), the threads of a team go
through all layers by themselves. Here the rows of a product are many: they are brought into 8 bits
once, and each thread multiplies all of them with 16 rows of the weight at a time. Weights must be
in blocks. Sequences that decode beside prompts have the bits that they have without them.
"""

from __future__ import annotations

from numba import types
from numba.np.numpy_support import from_dtype

from townsfolk_kernels.compiled.attention import combine
from townsfolk_kernels.compiled.blocks import COLUMNS, QUANTIZED_BYTES, quantize
from townsfolk_kernels.compiled.compiler import compiled, entry
from townsfolk_kernels.compiled.products import PART, multiply_group
from townsfolk_kernels.compiled.prompt_attention import (
    attend_bf16,
    attend_fp32,
    keep_bf16,
    keep_fp32,
    tile_bytes,
)
from townsfolk_kernels.compiled.step import (
    PHASE,
    STEP,
    Input,
    Kind,
    Output,
    add_normed,
    attend,
    deliver,
    normalise,
)
from townsfolk_kernels.compiled.team import enter, finish, leave, take, wait
from townsfolk_kernels.compiled.vectors import LANES

_STRIPE = 64  # rows that are multiplied with 16 of a weight before others are
_ROWS = 4  # that a thread prepares at a time


def scratch_bytes(widest: int, group: int, head_dim: int) -> int:
    """Return the bytes that a thread needs beside those of a step that only decodes.

    Args:
        widest: input columns of the widest product.
        group: query heads of a key head, at most.
        head_dim: the greatest.
    """
    needed = max(8 * _STRIPE * LANES, 4 * widest, tile_bytes(group, head_dim))
    return needed + 128 - needed % 64  # threads share no cache line


@compiled
def _prepare(step, phase, number, scratch):
    """Bring the rows of a product into 8 bits."""
    columns = phase.weight.columns
    row_bytes = columns // COLUMNS * QUANTIZED_BYTES
    chunks = (step.rows + _ROWS - 1) // _ROWS
    chunk = take(step.team, number)
    while chunk < chunks:
        for row in range(chunk * _ROWS, min(chunk * _ROWS + _ROWS, step.rows)):
            x = phase.source + 4 * columns * row
            if phase.input == Input.NORMED:
                normalise(x, 1, columns, phase.norm, phase.eps, scratch)
                x = scratch
            elif phase.input == Input.ATTENDED:
                x = scratch
                if row < step.count:
                    combine(step, phase, row, x)
                else:
                    x = step.attended + 4 * columns * row
            quantize(x, columns, step.quantized + row_bytes * row)
        finish(step.team, number)
        chunk = take(step.team, number)
    wait(step.team, number, chunks)


@compiled
def _multiply(step, phase, parts, number, scratch):
    """Multiply all rows, which are prepared, with a weight."""
    weight = phase.weight
    gated = phase.output == Output.GATE
    width = weight.rows // 2 if gated else weight.rows
    groups = (width + LANES - 1) // LANES
    row_bytes = weight.columns // COLUMNS * QUANTIZED_BYTES
    tile, other = scratch, scratch + 4 * _STRIPE * LANES
    group = take(step.team, number)
    while group < groups:
        for first in range(0, step.rows, _STRIPE):
            count = min(_STRIPE, step.rows - first)
            rows = step.quantized + row_bytes * first
            multiply_group(parts, weight, group, 0, rows, count, tile)
            if gated:
                multiply_group(parts, weight, groups + group, 0, rows, count, other)
            deliver(phase, width, group, first, count, tile, other)
        finish(step.team, number)
        group = take(step.team, number)
    wait(step.team, number, groups)


@compiled
def _turn(step, phase, number):
    """Rotate what prompts project, and write their keys and values."""
    rows = step.rows - step.count
    chunks = (rows + _ROWS - 1) // _ROWS
    chunk = take(step.team, number)
    while chunk < chunks:
        first = step.count + chunk * _ROWS
        for row in range(first, min(first + _ROWS, step.rows)):
            if step.pages_are_bf16 != 0:
                keep_bf16(step, phase, row)
            else:
                keep_fp32(step, phase, row)
        finish(step.team, number)
        chunk = take(step.team, number)
    wait(step.team, number, chunks)


@compiled
def _attend(step, phase, number, scratch):
    """Compute attention: of prompts by tiles, the longest of each first; then of who decodes."""
    prompts = step.tiles * phase.kv_heads
    items = prompts + step.splits * phase.kv_heads
    item = take(step.team, number)
    while item < items:
        tile, kv_head = item // phase.kv_heads, item % phase.kv_heads
        if item >= prompts:
            attend(step, phase, item - prompts, scratch)
        elif step.pages_are_bf16 != 0:
            attend_bf16(step, phase, tile, kv_head, scratch)
        else:
            attend_fp32(step, phase, tile, kv_head, scratch)
        finish(step.team, number)
        item = take(step.team, number)
    wait(step.team, number, items)


@compiled
def _norm(step, phase, number):
    columns = phase.weight.columns
    row = take(step.team, number)
    while row < step.rows:
        at = 4 * columns * row
        normalise(phase.source + at, 1, columns, phase.norm, phase.eps, phase.target + at)
        finish(step.team, number)
        row = take(step.team, number)
    wait(step.team, number, step.rows)


@entry(
    types.void(from_dtype(STEP)[::1], from_dtype(PHASE)[::1], from_dtype(PART)[::1], types.int64)
)
def run_prompt_step(steps, phases, parts, thread):
    """Take part in a step with prompts; see `townsfolk_kernels.compiled.step.run_step`."""
    step = steps[0]
    if not enter(step.team):
        return
    scratch = step.scratch + thread * step.scratch_bytes
    for number in range(len(phases)):
        phase = phases[number]
        if phase.kind == Kind.PREPARE:
            _prepare(step, phase, number, scratch)
        elif phase.kind == Kind.PRODUCT:
            _multiply(step, phase, parts, number, scratch)
        elif phase.kind == Kind.TURN:
            _turn(step, phase, number)
        elif phase.kind == Kind.ATTENTION:
            _attend(step, phase, number, scratch)
        elif phase.kind == Kind.NORM:
            _norm(step, phase, number)
        else:
            add_normed(step, phase, number, step.rows)
    leave(step.team, thread == 0)
