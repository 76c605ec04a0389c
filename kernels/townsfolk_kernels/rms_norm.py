"""Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from townsfolk_kernels.registry import Implementations


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalise each row to unit root mean square, then scale it: `x / rms(x) * weight`.

    Args:
        x: [rows, hidden], bf16, fp16 or fp32.
        weight: [hidden], dtype of `x`.
        eps: added to the mean square before the root.

    Returns:
        [rows, hidden], dtype of `x`. The mean square is taken in fp32.
    """
    return _RMS_NORM.pick(x.device.type)(x, weight, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Add a block's output to the residual stream and normalise the sum.

    Args:
        x: [rows, hidden], output of the block before. May be overwritten.
        residual: [rows, hidden], dtype of `x`. May be overwritten.
        weight: [hidden], dtype of `x`.
        eps: added to the mean square before the root.

    Returns:
        The normalised sum and the sum itself (the new residual), both [rows, hidden], dtype of `x`.
    """
    return _ADD_RMS_NORM.pick(x.device.type)(x, residual, weight, eps)


def _rms_norm_reference(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)  # [rows, 1]
    return (wide * scale).to(x.dtype) * weight


def _add_rms_norm_reference(
    x: Tensor, residual: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    total = x + residual
    return _rms_norm_reference(total, weight, eps), total


_RMS_NORM: Implementations[Callable[[Tensor, Tensor, float], Tensor]] = Implementations(
    _rms_norm_reference
)
_ADD_RMS_NORM: Implementations[Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]] = (
    Implementations(_add_rms_norm_reference)
)
