"""Matrix product with a weight, in the layout that the device reads fastest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.cpu import linear as linear_cpu
from townsfolk_kernels.registry import Implementations


class LinearWeight(Protocol):
    """A weight [out_features, in_features], with its bias if there is one, ready for `linear`."""

    @property
    def nbytes(self) -> int:
        """Memory it takes."""

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight as a tensor, and the bias [out_features]; a copy where it is packed."""

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias` of x [rows, in_features]."""


class PlainWeight:
    """A weight as an ordinary tensor."""

    __slots__ = ("bias", "weight")

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight = weight
        self.bias = bias

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight itself, and the bias."""
        return self.weight, self.bias

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias` of x [rows, in_features]."""
        return F.linear(x, self.weight, self.bias)


def activation_dtype(weight_dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype of the activations that `pack_linear`'s weights are multiplied with.

    It is the weights' own, but for 16-bit weights on an x86 processor that cannot multiply them:
    those are multiplied with fp32 activations.
    """
    if device.type == "cpu" and weight_dtype in linear_cpu.packed_dtypes():
        return linear_cpu.packed_dtypes()[weight_dtype]
    return weight_dtype


def pack_linear(weight: Tensor, bias: Tensor | None = None, *, roomy: bool = False) -> LinearWeight:
    """Bring a weight into the layout that its device multiplies fastest.

    Args:
        weight: [out_features, in_features], bf16, fp16 or fp32. The result may hold it; drop other
            references, so that the memory of a repacked weight is freed.
        bias: [out_features], same dtype.
        roomy: keep a second layout where that is faster; it doubles the memory.
    """
    if weight.device.type == "cpu" and weight.dtype in linear_cpu.packed_dtypes():
        return linear_cpu.pack(weight, bias, roomy)
    return PlainWeight(weight, bias)


def plain_parts(weight: LinearWeight) -> list[tuple[Tensor, Tensor | None]] | None:
    """Return the rows of a weight as tensors that compiled code can read, with their biases.

    Returns:
        parts, one behind the other; None where it is held in the layout of a library alone.
    """
    if isinstance(weight, PlainWeight):
        return [(weight.weight, weight.bias)]
    if isinstance(weight, linear_cpu.OnednnWeight | linear_cpu.FbgemmWeight) and weight.plain:
        return [weight.plain]
    return None


def linear(x: Tensor, weight: LinearWeight) -> Tensor:
    """Return `x @ weight.T + bias`.

    Args:
        x: [rows, in_features], of the dtype that `activation_dtype` says.
        weight: from `pack_linear`: [out_features, in_features].

    Returns:
        [rows, out_features], dtype of `x`; accumulated in fp32.
    """
    return _LINEAR.pick(x.device.type)(x, weight)


def _linear_reference(x: Tensor, weight: LinearWeight) -> Tensor:
    dense, bias = weight.dense()
    return F.linear(x, dense.to(x.dtype), None if bias is None else bias.to(x.dtype))


_LINEAR: Implementations[Callable[[Tensor, LinearWeight], Tensor]] = Implementations(
    _linear_reference
)


@_LINEAR.register("cpu")
@_LINEAR.register("cuda")
def _linear_packed(x: Tensor, weight: LinearWeight) -> Tensor:
    return weight.product(x)
