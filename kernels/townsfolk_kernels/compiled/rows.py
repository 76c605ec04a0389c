"""Rows of a matrix in blocks as numbers: embeddings of tokens."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.np.numpy_support import from_dtype

from townsfolk_kernels.compiled.blocks import COLUMNS
from townsfolk_kernels.compiled.compiler import entry
from townsfolk_kernels.compiled.products import PART, Format
from townsfolk_kernels.compiled.vectors import LANES, load_half, load_uint8, store_scalar


@entry(types.void(from_dtype(PART)[::1], types.int64[::1], types.int64))
def gather_rows(parts, ids, out):
    """Write what some rows of a matrix stand for; see `townsfolk_kernels.compiled.blocks`.

    Args:
        parts: [1], a `PART` in blocks.
        ids: of the rows, which must exist.
        out: address of [len(ids), columns] fp32.
    """
    part = parts[0]
    blocks = part.columns // COLUMNS
    halves = 2 if part.format == Format.BITS_6 else 1
    offset = np.float32(part.offset)
    for row in range(len(ids)):
        group, lane = ids[row] // LANES, ids[row] % LANES
        for block in range(blocks):
            at = part.address + (group * blocks + block) * part.block_bytes
            scales = at + 2 * lane
            shift = np.float32(0.0)
            integers = at + 2 * LANES * halves + 4 * lane
            if part.shifted != 0:
                shift = load_half(scales + 2 * LANES * halves)
                integers += 2 * LANES
            for column in range(COLUMNS):
                half, vector, place = column // 16, column % 16 // 4, column % 4
                scale = load_half(scales + 2 * LANES * (half if halves == 2 else 0))
                if part.format == Format.BITS_8:
                    value = load_uint8(integers + 64 * (4 * half + vector) + place)
                else:
                    value = load_uint8(integers + 64 * vector + place) >> (4 * half) & 15
                    if part.format == Format.BITS_5:
                        above = load_uint8(integers + 256 + place)
                        value |= (above >> (4 * half + vector) & 1) << 4
                    elif part.format == Format.BITS_6:
                        above = load_uint8(integers + 256 + 64 * half + place)
                        value |= (above >> (2 * vector) & 3) << 4
                if part.shifted != 0:
                    number = np.float32(value) * scale + shift
                else:
                    number = (np.float32(value) - offset) * scale
                store_scalar(out, number)
                out += 4
