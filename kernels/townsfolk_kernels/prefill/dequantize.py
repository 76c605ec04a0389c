"""Packed rows brought into numbers: for products of many rows, and rows of an embedding."""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options
from townsfolk_kernels.gpu.units import kernel_units, load_unit, part_values, unit_columns
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.packing import packed_layout, scale_dtype

_ROWS, _UNITS = 32, 4  # of a program


@kernel
def _dequantize_kernel(
    data,
    ids,
    drawn,
    table,
    out,
    rows,
    COLUMNS: tl.constexpr,
    STRIDE: tl.constexpr,
    UNITS: tl.constexpr,
    LAYOUT: tl.constexpr,
    SCALES: tl.constexpr,
    GATHERS: tl.constexpr,
    DRAWN: tl.constexpr,
    ROWS: tl.constexpr,
    PER: tl.constexpr,
    UNIT: tl.constexpr,
):
    r = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    real = r < rows
    bounded = tl.minimum(r, rows - 1).to(tl.int64)
    n = tl.load(ids + r, mask=real, other=0).to(tl.int64) if GATHERS else bounded
    if DRAWN:
        n = tl.load(drawn + n, mask=real & (n >= 0), other=0).to(tl.int64)
    row, to = data + n * STRIDE, out + r.to(tl.int64) * COLUMNS
    k = tl.arange(0, 32)
    for step in tl.static_range(PER):
        unit = tl.program_id(0) * PER + step
        a, b, c, p, q, last, s = load_unit(row, unit, unit < UNITS, UNITS, LAYOUT, UNITS % PER != 0)
        for i in tl.static_range(UNIT // 32):
            values = part_values(a, b, c, p, q, last, s, i, LAYOUT, table, SCALES)
            column = unit * UNIT + i * 32 + k
            inside = real[:, None] & (column < COLUMNS)[None, :]
            at = to[:, None] + column[None, :]
            tl.store(at, values.to(out.dtype.element_ty), mask=inside)


def dequantize_packed(
    data: Tensor,
    block_format: BlockFormat,
    columns: int,
    dtype: torch.dtype,
    table: Tensor | None,
    ids: Tensor | None = None,
    drawn: Tensor | None = None,
) -> Tensor:
    """Return what packed rows stand for, rounded once.

    Args:
        data: [rows, bytes of a packed row], uint8, rows one behind another.
        block_format: that they were packed from.
        columns: values of a row.
        dtype: of the result.
        table: from `packed_table`.
        ids: [n] integers, which rows; None for all.
        drawn: [any] integers: `ids` say which of these say which rows; where one is below 0, any.

    Returns:
        [rows or n, columns].
    """
    count = len(data) if ids is None else len(ids)
    layout = packed_layout(block_format)
    unit, units = unit_columns(layout), kernel_units(layout, columns)
    out = torch.empty(count, columns, dtype=dtype, device=data.device)
    per = min(_UNITS, units)
    _dequantize_kernel[(-(-units // per), -(-count // _ROWS))](
        data,
        ids,
        drawn,
        table,
        out,
        count,
        COLUMNS=columns,
        STRIDE=data.shape[1],
        UNITS=units,
        LAYOUT=layout.value,
        SCALES=triton_dtype(block_format),
        GATHERS=ids is not None,
        DRAWN=drawn is not None,
        ROWS=_ROWS,
        PER=per,
        UNIT=unit,
        **options(4),
    )
    return out


def triton_dtype(block_format: BlockFormat) -> tl.dtype:
    """Return the dtype of the scales, as kernels name it."""
    return tl.bfloat16 if scale_dtype(block_format) is torch.bfloat16 else tl.float16
