"""Packed rows brought into numbers: for products of many rows, and rows of an embedding."""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options
from townsfolk_kernels.gpu.units import load_unit, part_values, unit_columns
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.packing import packed_layout, scale_dtype, units_of

_ROWS, _UNITS = 32, 4  # of a program


@kernel
def _dequantize_kernel(
    data,
    ids,
    table,
    out,
    rows,
    COLUMNS: tl.constexpr,
    STRIDE: tl.constexpr,
    UNITS: tl.constexpr,
    LAYOUT: tl.constexpr,
    SCALES: tl.constexpr,
    GATHERS: tl.constexpr,
    ROWS: tl.constexpr,
    PER: tl.constexpr,
    UNIT: tl.constexpr,
):
    r = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    real = r < rows
    last = tl.minimum(r, rows - 1).to(tl.int64)
    n = tl.load(ids + r, mask=real, other=0) if GATHERS else last
    row, to = data + n * STRIDE, out + r.to(tl.int64) * COLUMNS
    k = tl.arange(0, 32)
    for step in tl.static_range(PER):
        unit = tl.program_id(0) * PER + step
        a, b, c, p, q = load_unit(row, unit, unit < UNITS, UNITS, LAYOUT, UNITS % PER != 0)
        for i in tl.static_range(UNIT // 32):
            values = part_values(a, b, c, p, q, i, LAYOUT, table, SCALES)
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
) -> Tensor:
    """What packed rows stand for, rounded once.

    Args:
        data: [rows, bytes of a packed row], uint8, rows one behind another.
        block_format: that they were packed from.
        columns: values of a row.
        dtype: of the result.
        table: [16] fp32: what integers of CODE4 stand for; None for other layouts.
        ids: [n] int64, which rows; None for all.

    Returns:
        [rows or n, columns].
    """
    count = len(data) if ids is None else len(ids)
    layout = packed_layout(block_format)
    # K formats have units of 256 columns in `packing`; kernels read halves of them.
    unit = unit_columns(layout)
    units = units_of(layout, columns) * (2 if unit == 128 else 1)
    out = torch.empty(count, columns, dtype=dtype, device=data.device)
    per = min(_UNITS, units)
    _dequantize_kernel[(-(-units // per), -(-count // _ROWS))](
        data,
        ids,
        table,
        out,
        count,
        COLUMNS=columns,
        STRIDE=data.shape[1],
        UNITS=units,
        LAYOUT=layout.value,
        SCALES=triton_dtype(block_format),
        GATHERS=ids is not None,
        ROWS=_ROWS,
        PER=per,
        UNIT=unit,
        **options(4),
    )
    return out


def triton_dtype(block_format: BlockFormat) -> tl.dtype:
    """Of the scales, as kernels name it."""
    return tl.bfloat16 if scale_dtype(block_format) is torch.bfloat16 else tl.float16
