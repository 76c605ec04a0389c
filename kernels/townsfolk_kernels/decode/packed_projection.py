"""Decode: the products of a layer with packed weights, as `projection` and `mlp` have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.packed_product import multiply
from townsfolk_kernels.decode.product import inverse_rms, load_squares, sum_of_splits
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import (
    SplitWorkspace,
    Tiles,
    options,
    power_of_two,
    precision,
)
from townsfolk_kernels.gpu.units import unit_columns
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.packing import (
    PackedLayout,
    packed_layout,
    scale_dtype,
    units_of,
)


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows of a weight, all in one format.

    Attributes:
        data: [rows, bytes of a packed row], uint8.
        block_format: that they were packed from.
        columns: of the weight.
        table: [16] fp32: what integers of CODE4 stand for; None for other layouts.
    """

    data: Tensor
    block_format: BlockFormat
    columns: int
    table: Tensor | None = None

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.data.shape[0]

    @property
    def layout(self) -> PackedLayout:
        """How a row is laid out."""
        return packed_layout(self.block_format)

    @property
    def unit(self) -> int:
        """Columns of a unit, as kernels take it."""
        return unit_columns(self.layout)

    @property
    def units(self) -> int:
        """Units of a row, as kernels take it."""
        return units_of(self.layout, self.columns) * (2 if self.unit == 128 else 1)


def row_layouts() -> frozenset[PackedLayout]:
    """Layouts that one row of activations can be multiplied with in registers."""
    return frozenset(PackedLayout) - {PackedLayout.AFFINE2, PackedLayout.SCALED3}


def holds_row(part: PackedRows, x: Tensor) -> bool:
    """Whether a program can hold its share of `part` in registers, for a row of `x`."""
    is_linear = part.table is None or part.block_format is BlockFormat.Q4_0
    return x.shape[0] == 1 and x.dtype.itemsize == 2 and part.layout in row_layouts() and is_linear


@kernel(do_not_specialize=["batch"])
def _project_kernel(
    x, squares, w, table, w2, table2, out, parts, counters, batch, eps, stride,
    N: tl.constexpr, N1: tl.constexpr, NORMED: tl.constexpr, SUMS: tl.constexpr, K: tl.constexpr,
    STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr, LAYOUT: tl.constexpr,
    SCALES: tl.constexpr, PER: tl.constexpr, STRIDE2: tl.constexpr, UNITS2: tl.constexpr,
    UNIT2: tl.constexpr, LAYOUT2: tl.constexpr, SCALES2: tl.constexpr, PER2: tl.constexpr,
    ROWS: tl.constexpr, BATCH: tl.constexpr, STAGES: tl.constexpr, SPLITS: tl.constexpr,
    PRECISION: tl.constexpr, DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    r, m = tl.arange(0, ROWS), tl.arange(0, BATCH)
    TILES1: tl.constexpr = (N1 + ROWS - 1) // ROWS
    if LAYOUT2 == "":  # noqa: SIM114  known when it is compiled, so there is no second branch
        n = tile * ROWS + r
        inside = n < N1
        acc, _ = multiply(
            x, w, table, tl.minimum(n, N1 - 1), split, batch, out, inside, K, STRIDE, UNITS,
            UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT, SIGNALS, False,
        )  # fmt: skip
    elif tile < TILES1:
        n = tile * ROWS + r
        inside = n < N1
        acc, _ = multiply(
            x, w, table, tl.minimum(n, N1 - 1), split, batch, out, inside, K, STRIDE, UNITS,
            UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT, SIGNALS, False,
        )  # fmt: skip
    else:
        n = N1 + (tile - TILES1) * ROWS + r
        inside = n < N
        acc, _ = multiply(
            x, w2, table2, tl.minimum(n, N - 1) - N1, split, batch, out, inside, K, STRIDE2,
            UNITS2, UNIT2, LAYOUT2, SCALES2, PER2, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT,
            SIGNALS, False,
        )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    if NORMED:
        acc *= inverse_rms(load_squares(squares, batch, SUMS, BATCH), eps, K)
    mask = is_last & inside[:, None] & (m[None, :] < batch)
    tl.store(out + m[None, :].to(tl.int64) * stride + n[:, None], acc, mask=mask)


@kernel(do_not_specialize=["batch"])
def _project_and_add_kernel(
    x, w, table, bias, residual, norm, scaled, squares, parts, counters, batch,
    N: tl.constexpr, HAS_BIAS: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    UNITS: tl.constexpr, UNIT: tl.constexpr, LAYOUT: tl.constexpr, SCALES: tl.constexpr,
    PER: tl.constexpr, ROWS: tl.constexpr, BATCH: tl.constexpr, STAGES: tl.constexpr,
    SPLITS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    factor = tl.load(norm + n, mask=n < N, other=0.0).to(tl.float32)
    at = m[None, :] * N + n[:, None]
    inside = (n[:, None] < N) & (m[None, :] < batch)
    acc, before = multiply(
        x, w, table, tl.minimum(n, N - 1), split, batch, residual + at, inside, K, STRIDE, UNITS,
        UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT, SIGNALS, True,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    stored = is_last & inside
    if HAS_BIAS:
        acc += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    total = (before + acc).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=stored)
    wide = tl.where(stored, total.to(tl.float32), 0.0)
    tl.store(scaled + at, (wide * factor[:, None]).to(scaled.dtype.element_ty), mask=stored)
    tl.store(squares + tile * batch + m, tl.sum(wide * wide, axis=0), mask=is_last & (m < batch))


@kernel(do_not_specialize=["batch"])
def _gate_up_kernel(
    x, squares, w, table, bias, out, parts, counters, batch, eps,
    N: tl.constexpr, SUMS: tl.constexpr, HAS_BIAS: tl.constexpr, K: tl.constexpr,
    STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr, LAYOUT: tl.constexpr,
    SCALES: tl.constexpr, PER: tl.constexpr, ROWS: tl.constexpr, BATCH: tl.constexpr,
    STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr, DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    # Rows of the gate, then as many of up, which lie N rows behind.
    r = tl.arange(0, 2 * ROWS)
    rows = tl.minimum(tile * ROWS + r % ROWS, N - 1) + r // ROWS * N
    acc, _ = multiply(
        x, w, table, rows, split, batch, out, rows >= 0, K, STRIDE, UNITS, UNIT, LAYOUT, SCALES,
        PER, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT, SIGNALS, False,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    acc *= inverse_rms(load_squares(squares, batch, SUMS, BATCH), eps, K)
    if HAS_BIAS:
        acc += tl.load(bias + rows).to(tl.float32)[:, None]
    gate, up = tl.split(tl.permute(tl.reshape(acc, [2, ROWS, BATCH]), (1, 2, 0)))
    result = gate * tl.sigmoid(gate) * up
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    mask = is_last & (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :] * N + n[:, None], result.to(out.dtype.element_ty), mask=mask)


def project_packed(
    x: Tensor,
    weight: tuple[PackedRows, ...],
    out: Tensor,
    workspace: SplitWorkspace,
    tiles: Tiles,
    dependent: bool,
    squares: Tensor | None = None,
    eps: float = 0.0,
) -> None:
    """As `projection.project`, with a weight of one or two parts.

    `out` may be rows of a wider tensor, and of any dtype.
    """
    first, second = weight[0], weight[1] if len(weight) > 1 else None
    count = sum(-(-part.rows // tiles.rows) for part in weight)
    of_second = _part_options(first if second is None else second, x, tiles)
    _project_kernel[(count, tiles.splits)](
        x,
        squares,
        first.data,
        first.table,
        None if second is None else second.data,
        None if second is None else second.table,
        out,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        eps,
        out.stride(0),
        N=sum(part.rows for part in weight),
        N1=first.rows,
        NORMED=squares is not None,
        SUMS=0 if squares is None else squares.shape[0],
        **_part_options(first, x, tiles),
        **{f"{name}2": value for name, value in of_second.items()}
        | ({"LAYOUT2": ""} if second is None else {}),
        **_options(first, x, tiles, dependent),
    )


def project_packed_and_add(
    x: Tensor,
    weight: PackedRows,
    bias: Tensor | None,
    residual: Tensor,
    norm: Tensor,
    scaled: Tensor,
    squares: Tensor,
    workspace: SplitWorkspace,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """As `projection.project_and_add`, with a packed weight."""
    hidden = weight.rows
    _project_and_add_kernel[(-(-hidden // tiles.rows), tiles.splits)](
        x,
        weight.data,
        weight.table,
        bias,
        residual,
        norm,
        scaled,
        squares,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        N=hidden,
        HAS_BIAS=bias is not None,
        **_part_options(weight, x, tiles),
        **_options(weight, x, tiles, dependent),
    )


def packed_gate_up_swiglu(
    x: Tensor,
    squares: Tensor,
    weight: PackedRows,
    bias: Tensor | None,
    eps: float,
    out: Tensor,
    workspace: SplitWorkspace,
    tiles: Tiles,
    dependent: bool,
) -> None:
    """As `mlp.gate_up_swiglu`, with a packed weight."""
    width = out.shape[1]
    _gate_up_kernel[(-(-width // tiles.rows), tiles.splits)](
        x,
        squares,
        weight.data,
        weight.table,
        bias,
        out,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        eps,
        N=width,
        SUMS=squares.shape[0],
        HAS_BIAS=bias is not None,
        **_part_options(weight, x, tiles),
        **_options(weight, x, tiles, dependent),
    )


def _part_options(part: PackedRows, x: Tensor, tiles: Tiles) -> dict[str, Any]:
    """Constants of a kernel that differ between the parts of a weight."""
    is_bf16 = scale_dtype(part.block_format) is torch.bfloat16
    return {
        "STRIDE": part.data.stride(0),
        "UNITS": part.units,
        "UNIT": part.unit,
        "LAYOUT": part.layout.value,
        "SCALES": tl.bfloat16 if is_bf16 else tl.float16,
        "PER": 0 if tiles.depth == 0 else max(tiles.depth // part.unit, 1),
    }


def _options(part: PackedRows, x: Tensor, tiles: Tiles, dependent: bool) -> dict[str, Any]:
    """Constants and launch options that are the same for all parts."""
    batch = power_of_two(x.shape[0])
    return {
        "K": part.columns,
        "ROWS": tiles.rows,
        "BATCH": batch if tiles.depth == 0 else max(batch, 8),
        "STAGES": tiles.stages,
        "SPLITS": tiles.splits,
        "PRECISION": precision(x),
        "DEPENDENT": dependent,
        "SIGNALS": card_of(x.device).has_dependent_launch,
        **options(tiles.warps, tiles.stages, dependent),
    }
