"""Activations of feed-forward blocks, gated (Shazeer 2020, arXiv:2002.05202) and not."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.registry import Implementations


class Activation(Enum):
    """What a feed-forward block does to each number between its projections."""

    SILU = "silu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    RELU_SQUARED = "relu_squared"

    def __call__(self, x: Tensor) -> Tensor:
        """Return the activation of each element, dtype of `x`."""
        if self is Activation.SILU:
            return F.silu(x)
        if self is Activation.RELU_SQUARED:
            return F.relu(x).square()
        return F.gelu(x, approximate="tanh" if self is Activation.GELU_TANH else "none")


def gated(gate_up: Tensor, activation: Activation) -> Tensor:
    """Return `activation(gate) * up` of a fused projection.

    Args:
        gate_up: [rows, 2 * width]: the gate's columns, then the up projection's. May be
            overwritten.
        activation: of the gate.

    Returns:
        [rows, width], dtype of `gate_up`.

    Raises:
        ValueError: there is an odd number of columns.
    """
    if activation is Activation.SILU:
        return swiglu(gate_up)
    _check(gate_up)
    gate, up = gate_up.chunk(2, dim=-1)
    return activation(gate) * up


def swiglu(gate_up: Tensor) -> Tensor:
    """Return `gated` with SiLU, as in Llama."""
    _check(gate_up)
    return SWIGLU.pick(gate_up.device.type)(gate_up)


def _check(gate_up: Tensor) -> None:
    if gate_up.shape[-1] % 2:
        raise ValueError(f"gate_up has {gate_up.shape[-1]} columns: gate and up must be as wide")


def _swiglu_reference(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


SWIGLU: Implementations[Callable[[Tensor], Tensor]] = Implementations(_swiglu_reference)
