"""Checks of the decode products with packed weights against fp64, as `product_checks` has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from guarded_memory import guarded
from product_checks import EPS, Rows, poisoned
from torch import Tensor
from torch.nn.functional import silu
from townsfolk_kernels.decode.operands import Addition, LaunchConfig
from townsfolk_kernels.decode.packed_projection import (
    PackedRows,
    packed_gate_up,
    project_packed,
    project_packed_and_add,
)
from townsfolk_kernels.gpu.launch import Tiles
from townsfolk_kernels.ops.activation import Activation
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.packing import pack, packed_table, unpack_rows
from townsfolk_kernels.quantized.random_blocks import random_blocks

Formats = Sequence[tuple[BlockFormat, int]]
"""The parts of a weight: their formats, and rows of each."""


def packed(rows: Rows, parts: Formats) -> tuple[tuple[PackedRows, ...], Tensor]:
    """A random weight whose product has values near one, and its values in fp64."""
    found, values = [], []
    for block_format, count in parts:
        generator = torch.Generator().manual_seed(int(torch.randint(1 << 30, ())))
        raw = random_blocks(block_format, count, rows.width, rows.width**-0.5, generator)
        data = pack(raw.to(rows.device), block_format)
        table = packed_table(block_format, data.device)
        if rows.device == "cpu":  # who reads beyond the end is found out
            data = guarded(data)
            table = None if table is None else guarded(table)
        found.append(PackedRows(data, block_format, rows.width, table))
        values.append(unpack_rows(data, block_format, rows.width))
    return tuple(found), torch.cat(values).double()


def normed(rows: Rows) -> Tensor:
    """The rows behind their norm, in fp64."""
    mean = rows.squares.double().sum(0)[:, None] / rows.width
    return rows.scaled.double() / (mean + EPS).sqrt()


def check_packed_project(
    batch: int, width: int, parts: Formats, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`project_packed`, alone and with the norm."""
    rows = Rows(batch, width, dtype, device)
    weight, values = packed(rows, parts)
    count = len(values)
    space = rows.workspace("project", count + tiles.rows, tiles)
    for norm in (None, rows.norm):
        out = poisoned(batch, count, dtype=torch.float32, device=device)
        project_packed(rows.scaled, weight, out, LaunchConfig(tiles, space, dependent), norm)
        rows.check(out, (normed(rows) if norm else rows.scaled.double()) @ values.T)
    return out


def check_packed_project_and_add(
    batch: int, width: int, part: tuple[BlockFormat, int], tiles: Tiles, dtype: torch.dtype,
    device: str, *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`project_packed_and_add`, with and without a bias."""
    rows, hidden = Rows(batch, width, dtype, device), part[1]
    x, norm = rows.normal(batch, width), rows.normal(hidden)
    (weight,), values = packed(rows, [part])
    space = rows.workspace("project", hidden, tiles)
    for bias in (None, rows.normal(hidden)):
        before = rows.normal(batch, hidden)
        residual = before.clone()
        scaled = poisoned(batch, hidden, dtype=dtype, device=device)
        count = -(-hidden // tiles.rows)
        squares = poisoned(count, batch, dtype=torch.float32, device=device)
        addition = Addition(residual, 0.5, norm, scaled, squares)
        project_packed_and_add(x, weight, bias, addition, LaunchConfig(tiles, space, dependent))
        product = x.double() @ values.T + (0 if bias is None else bias.double())
        expected = before.double() + product / 2
        rows.check(residual, expected)
        rows.check(scaled, residual.double() * norm.double())
        rows.check(squares.sum(0), residual.double().square().sum(1))
    return residual


def check_packed_gate_up(
    batch: int, width: int, inner: int, block_format: BlockFormat, tiles: Tiles,
    dtype: torch.dtype, device: str, *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`packed_gate_up`, with and without a bias."""
    rows = Rows(batch, width, dtype, device)
    (weight,), values = packed(rows, [(block_format, 2 * inner)])
    space = rows.workspace("gate_up", 2 * inner, tiles)
    for bias in (None, rows.normal(2 * inner)):
        out = poisoned(batch, inner, dtype=dtype, device=device)
        launch = LaunchConfig(tiles, space, dependent)
        packed_gate_up(rows.scaled, rows.norm, weight, bias, Activation.SILU, out, launch)
        both = normed(rows) @ values.T
        if bias is not None:
            both = both + bias.double()
        gate, up = both.chunk(2, dim=1)
        rows.check(out, silu(gate) * up)
    return out
