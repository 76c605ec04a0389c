"""SwiGLU of a fused gate and up projection."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options

_WIDTH = 1024


@kernel
def _swiglu_kernel(gate_up, out, INNER: tl.constexpr, WIDTH: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = column < INNER
    at = gate_up + row * (2 * INNER) + column
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(at + INNER, mask=inside, other=0.0).to(tl.float32)
    result = gate * tl.sigmoid(gate) * up
    tl.store(out + row * INNER + column, result.to(out.dtype.element_ty), mask=inside)


def swiglu(gate_up: Tensor) -> Tensor:
    """See `townsfolk_kernels.swiglu`."""
    rows, inner = gate_up.shape[0], gate_up.shape[1] // 2
    out = gate_up.new_empty(rows, inner)
    grid = (rows, -(-inner // _WIDTH))
    _swiglu_kernel[grid](gate_up, out, INNER=inner, WIDTH=_WIDTH, **options(4))
    return out
