"""Decode: the products of a layer with packed weights, as `projection` and `mlp` have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.mlp import activated
from townsfolk_kernels.decode.operands import Addition, LaunchConfig, RowNorm
from townsfolk_kernels.decode.packed_product import multiply
from townsfolk_kernels.decode.product import inverse_rms, load_squares, sum_of_splits, tanh
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import (
    Tiles,
    options,
    power_of_two,
    precision,
)
from townsfolk_kernels.gpu.units import kernel_units, unit_columns
from townsfolk_kernels.ops.activation import Activation
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.packing import (
    PackedLayout,
    packed_layout,
    scale_dtype,
)


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows of a weight, all in one format.

    Attributes:
        data: [rows, bytes of a packed row], uint8.
        block_format: that they were packed from.
        columns: of the weight.
        table: from `packed_table`.
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
        return kernel_units(self.layout, self.columns)


_IN_FIXED_POINT = (PackedLayout.AFFINE4, PackedLayout.SCALED6, PackedLayout.SCALED8)


def is_in_fixed_point(part: PackedRows, batch: int, dtype: torch.dtype) -> bool:
    """Return whether a program multiplies whole rows of `part` in fixed point, for `batch` rows."""
    is_known = part.layout in _IN_FIXED_POINT or part.block_format is BlockFormat.Q4_0
    return batch == 1 and dtype.itemsize == 2 and is_known


@kernel(do_not_specialize=["batch"])
def _project_kernel(
    x, squares, w, table, w2, table2, out, parts, counters, batch, eps, multiplier, cap,
    stride,
    N: tl.constexpr, N1: tl.constexpr, NORMED: tl.constexpr, CAPPED: tl.constexpr,
    SUMS: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr, UNITS: tl.constexpr,
    UNIT: tl.constexpr, LAYOUT: tl.constexpr, SCALES: tl.constexpr, PER: tl.constexpr,
    STRIDE2: tl.constexpr, UNITS2: tl.constexpr, UNIT2: tl.constexpr, LAYOUT2: tl.constexpr,
    SCALES2: tl.constexpr, PER2: tl.constexpr, ROWS: tl.constexpr, BATCH: tl.constexpr,
    STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    r, m = tl.arange(0, ROWS), tl.arange(0, BATCH)
    TILES1: tl.constexpr = (N1 + ROWS - 1) // ROWS
    if LAYOUT2 == "":  # noqa: SIM114  known when it is compiled, so there is no second branch
        n = tile * ROWS + r
        inside = n < N1
        acc, _ = multiply(
            x, w, table, tile * ROWS, split, batch, out, inside, ROWS, ROWS, N1 - 1, K, STRIDE,
            UNITS, UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION,
            DEPENDENT, SIGNALS, False,
        )  # fmt: skip
    elif tile < TILES1:
        n = tile * ROWS + r
        inside = n < N1
        acc, _ = multiply(
            x, w, table, tile * ROWS, split, batch, out, inside, ROWS, ROWS, N1 - 1, K, STRIDE,
            UNITS, UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION,
            DEPENDENT, SIGNALS, False,
        )  # fmt: skip
    else:
        n = N1 + (tile - TILES1) * ROWS + r
        inside = n < N
        acc, _ = multiply(
            x, w2, table2, (tile - TILES1) * ROWS, split, batch, out, inside, ROWS, ROWS,
            N - N1 - 1, K, STRIDE2, UNITS2, UNIT2, LAYOUT2, SCALES2, PER2, BATCH, STAGES, SPLITS,
            PRECISION, DEPENDENT, SIGNALS, False,
        )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    if NORMED:
        acc *= inverse_rms(load_squares(squares, batch, SUMS, BATCH), eps, K)
    acc *= multiplier
    if CAPPED:
        acc = cap * tanh(acc / cap)
    mask = is_last & inside[:, None] & (m[None, :] < batch)
    tl.store(out + m[None, :].to(tl.int64) * stride + n[:, None], acc, mask=mask)


@kernel(do_not_specialize=["batch"])
def _project_and_add_kernel(
    x, w, table, bias, residual, norm, scaled, squares, parts, counters, batch, multiplier,
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
        x, w, table, tile * ROWS, split, batch, residual + at, inside, ROWS, ROWS, N - 1, K,
        STRIDE, UNITS, UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION,
        DEPENDENT, SIGNALS, True,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    stored = is_last & inside
    if HAS_BIAS:
        acc += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    total = (before + acc * multiplier).to(residual.dtype.element_ty)
    tl.store(residual + at, total, mask=stored)
    wide = tl.where(stored, total.to(tl.float32), 0.0)
    tl.store(scaled + at, (wide * factor[:, None]).to(scaled.dtype.element_ty), mask=stored)
    tl.store(squares + tile * batch + m, tl.sum(wide * wide, axis=0), mask=is_last & (m < batch))


@kernel(do_not_specialize=["batch"])
def _gate_up_kernel(
    x, squares, w, table, bias, out, parts, counters, batch, eps,
    N: tl.constexpr, SUMS: tl.constexpr, HAS_BIAS: tl.constexpr, ACTIVATION: tl.constexpr,
    K: tl.constexpr, STRIDE: tl.constexpr, UNITS: tl.constexpr, UNIT: tl.constexpr,
    LAYOUT: tl.constexpr, SCALES: tl.constexpr, PER: tl.constexpr, ROWS: tl.constexpr,
    BATCH: tl.constexpr, STAGES: tl.constexpr, SPLITS: tl.constexpr, PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr, SIGNALS: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    # Rows of the gate, then as many of up, which lie N rows behind.
    r = tl.arange(0, 2 * ROWS)
    rows = tl.minimum(tile * ROWS + r % ROWS, N - 1) + r // ROWS * N
    acc, _ = multiply(
        x, w, table, tile * ROWS, split, batch, out, rows >= 0, 2 * ROWS, ROWS, N - 1, K, STRIDE,
        UNITS, UNIT, LAYOUT, SCALES, PER, BATCH, STAGES, SPLITS, PRECISION, DEPENDENT, SIGNALS,
        False,
    )  # fmt: skip
    acc, is_last = sum_of_splits(acc, parts, counters, tile, split, SPLITS)
    acc *= inverse_rms(load_squares(squares, batch, SUMS, BATCH), eps, K)
    if HAS_BIAS:
        acc += tl.load(bias + rows).to(tl.float32)[:, None]
    gate, up = tl.split(tl.permute(tl.reshape(acc, [2, ROWS, BATCH]), (1, 2, 0)))
    result = activated(gate, ACTIVATION) * up
    n, m = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, BATCH)
    mask = is_last & (n[:, None] < N) & (m[None, :] < batch)
    tl.store(out + m[None, :] * N + n[:, None], result.to(out.dtype.element_ty), mask=mask)


def project_packed(
    x: Tensor,
    weight: Sequence[PackedRows],
    out: Tensor,
    launch: LaunchConfig,
    norm: RowNorm | None = None,
    multiplier: float = 1.0,
    cap: float | None = None,
) -> None:
    """Compute what `projection.project` does, with a weight of one or two parts.

    `out` may be of any dtype, and its rows may lie apart from each other.
    """
    tiles, workspace = launch.tiles, launch.workspace
    first, second = weight[0], weight[1] if len(weight) > 1 else None
    count = sum(-(-part.rows // tiles.rows) for part in weight)
    of_second = _part_options(second or first, tiles)
    if second is None:
        of_second["LAYOUT"] = ""
    _project_kernel[(count, tiles.splits)](
        x,
        norm and norm.squares,
        first.data,
        first.table,
        second and second.data,
        second and second.table,
        out,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        0.0 if norm is None else norm.eps,
        multiplier,
        cap or 1.0,
        out.stride(0),
        N=sum(part.rows for part in weight),
        N1=first.rows,
        NORMED=norm is not None,
        CAPPED=cap is not None,
        SUMS=0 if norm is None else norm.squares.shape[0],
        **_part_options(first, tiles),
        **{f"{name}2": value for name, value in of_second.items()},
        **_options(first, x, launch),
    )


def project_packed_and_add(
    x: Tensor, weight: PackedRows, bias: Tensor | None, addition: Addition, launch: LaunchConfig
) -> None:
    """Compute what `projection.project_and_add` does, with a packed weight."""
    tiles, workspace = launch.tiles, launch.workspace
    _project_and_add_kernel[(-(-weight.rows // tiles.rows), tiles.splits)](
        x,
        weight.data,
        weight.table,
        bias,
        addition.residual,
        addition.norm,
        addition.scaled,
        addition.squares,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        addition.multiplier,
        N=weight.rows,
        HAS_BIAS=bias is not None,
        **_part_options(weight, tiles),
        **_options(weight, x, launch),
    )


def packed_gate_up(
    x: Tensor,
    norm: RowNorm,
    weight: PackedRows,
    bias: Tensor | None,
    activation: Activation,
    out: Tensor,
    launch: LaunchConfig,
) -> None:
    """Compute what `mlp.gate_up` does, with a packed weight."""
    tiles, workspace, width = launch.tiles, launch.workspace, out.shape[1]
    _gate_up_kernel[(-(-width // tiles.rows), tiles.splits)](
        x,
        norm.squares,
        weight.data,
        weight.table,
        bias,
        out,
        workspace.parts,
        workspace.counters,
        x.shape[0],
        norm.eps,
        N=width,
        SUMS=norm.squares.shape[0],
        HAS_BIAS=bias is not None,
        ACTIVATION=activation.value,
        **_part_options(weight, tiles),
        **_options(weight, x, launch),
    )


def _part_options(part: PackedRows, tiles: Tiles) -> dict[str, Any]:
    """Return the constants of a kernel that differ between the parts of a weight."""
    is_bf16 = scale_dtype(part.block_format) is torch.bfloat16
    return {
        "STRIDE": part.data.stride(0),
        "UNITS": part.units,
        "UNIT": part.unit,
        "LAYOUT": part.layout.value,
        "SCALES": tl.bfloat16 if is_bf16 else tl.float16,
        "PER": 0 if tiles.depth == 0 else max(tiles.depth // part.unit, 1),
    }


def _options(part: PackedRows, x: Tensor, launch: LaunchConfig) -> dict[str, Any]:
    """Return the constants and launch options that are the same for all parts."""
    tiles, batch = launch.tiles, power_of_two(x.shape[0])
    return {
        "K": part.columns,
        "ROWS": tiles.rows,
        "BATCH": batch if tiles.depth == 0 else max(batch, 8),
        "STAGES": tiles.stages,
        "SPLITS": tiles.splits,
        "PRECISION": precision(x),
        "DEPENDENT": launch.dependent,
        "SIGNALS": card_of(x.device).has_dependent_launch,
        **options(tiles.warps, tiles.stages, launch.dependent),
    }
