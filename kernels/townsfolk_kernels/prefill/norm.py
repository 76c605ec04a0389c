"""RMSNorm of whole rows, with and without the addition before it."""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two


@kernel
def _norm_kernel(
    x, residual, weight, out, eps, HIDDEN: tl.constexpr, WIDTH: tl.constexpr, ADDS: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, WIDTH)
    inside = column < HIDDEN
    values = tl.load(x + row * HIDDEN + column, mask=inside, other=0.0).to(tl.float32)
    if ADDS:
        at = residual + row * HIDDEN + column
        values += tl.load(at, mask=inside, other=0.0).to(tl.float32)
        rounded = values.to(residual.dtype.element_ty)
        tl.store(at, rounded, mask=inside)
        values = rounded.to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=0) / HIDDEN + eps)
    factor = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    result = (values * scale * factor).to(out.dtype.element_ty)
    tl.store(out + row * HIDDEN + column, result, mask=inside)


def rms_norm(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """See `townsfolk_kernels.ops.rms_norm`."""
    out = torch.empty_like(x, dtype=dtype)
    _launch(x, x, weight, out, eps, adds=False)
    return out


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """See `townsfolk_kernels.add_rms_norm`."""
    out = torch.empty_like(x)
    _launch(x, residual, weight, out, eps, adds=True)
    return out, residual


def _launch(
    x: Tensor, residual: Tensor, weight: Tensor, out: Tensor, eps: float, adds: bool
) -> None:
    rows, hidden = x.shape
    width = power_of_two(hidden)
    warps = min(max(width // 512, 1), 16)
    _norm_kernel[(rows,)](
        x, residual, weight, out, eps, HIDDEN=hidden, WIDTH=width, ADDS=adds, **options(warps)
    )
