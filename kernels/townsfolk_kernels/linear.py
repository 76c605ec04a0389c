"""Matrix product with a weight."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.registry import Implementations


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`.

    Args:
        x: [rows, in_features], bf16, fp16 or fp32.
        weight: [out_features, in_features], dtype of `x`.
        bias: [out_features], dtype of `x`.

    Returns:
        [rows, out_features], dtype of `x`; accumulated in fp32.
    """
    return _LINEAR.pick(x.device.type)(x, weight, bias)


def _linear_reference(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x, weight, bias)


_LINEAR: Implementations[Callable[[Tensor, Tensor, Tensor | None], Tensor]] = Implementations(
    _linear_reference
)
