"""SwiGLU, the gated activation of Llama's feed-forward block (Shazeer 2020, arXiv:2002.05202)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.registry import Implementations


def swiglu(gate_up: Tensor) -> Tensor:
    """`silu(gate) * up` of a fused projection.

    Args:
        gate_up: [rows, 2 * intermediate]: the gate's columns, then the up projection's. May be
            overwritten.

    Returns:
        [rows, intermediate], dtype of `gate_up`.

    Raises:
        ValueError: the width is odd.
    """
    if gate_up.shape[1] % 2:
        raise ValueError(f"gate_up has {gate_up.shape[1]} columns: gate and up must be as wide")
    return SWIGLU.pick(gate_up.device.type)(gate_up)


def _swiglu_reference(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


SWIGLU: Implementations[Callable[[Tensor], Tensor]] = Implementations(_swiglu_reference)
