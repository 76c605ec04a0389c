"""compressed-tensors: weights in FP8 or int8, or in 4 bits packed, with scales.

`weight` is [out, in] float8 (E4M3) or int8 and `weight_scale` [1], [out, 1] or [out, groups]; of 4
bits there are `weight_packed` [out, in / 8] int32, of integers from 0 to 15 that stand for -8 to 7,
and `weight_shape`. Activations are not quantised here, whatever the configuration says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat

from townsfolk.checkpoint.quantized.checkpoint import QuantizedWeight
from townsfolk.checkpoint.quantized.groups import (
    blocks_of_4_bits,
    blocks_of_8_bits,
    fits,
    numbers,
    unpack_columns,
)
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError, Encoding

_NUMBERS = torch.bfloat16
_UNREAD = {"weight_zero_point": "zeros", "weight_g_idx": "an order of columns"}


@dataclass(frozen=True)
class _ScaledWeight(QuantizedWeight):
    checkpoint: Checkpoint
    prefix: str
    is_packed: bool  # 4 bits

    @property
    def _values(self) -> str:
        return f"{self.prefix}.{'weight_packed' if self.is_packed else 'weight'}"

    @property
    def parts(self) -> tuple[str, ...]:
        others = ("weight_scale", "weight_shape", "input_scale")
        names = [self._values, *(f"{self.prefix}.{other}" for other in others)]
        return tuple(name for name in names if name in self.checkpoint)

    @cached_property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.checkpoint.shape(self._values)
        return rows, columns * 8 if self.is_packed else columns

    @cached_property
    def encoding(self) -> Encoding:
        if not fits(self.shape[1], self._scales.shape[1]):
            return _NUMBERS
        if self.is_packed:
            return BlockFormat.Q4_0
        is_int = self.checkpoint.kind(self._values) == "I8"
        return BlockFormat.Q8_0 if is_int else _NUMBERS

    @cached_property
    def _scales(self) -> Tensor:
        """[rows, groups], or [1, 1] for all rows."""
        scales = self.checkpoint.tensor(f"{self.prefix}.weight_scale")
        return scales if scales.dim() == 2 else scales.view(-1, 1)

    def rows(self, first: int, count: int) -> Tensor:
        at = slice(first, first + count)
        values = self.checkpoint.tensor(self._values)[at]
        scales = self._scales.expand(self.shape[0], -1)[at]
        if self.is_packed:
            integers = unpack_columns(values, 4)
            if self.encoding is BlockFormat.Q4_0:
                return blocks_of_4_bits(integers, scales, None)
            return numbers(integers.to(torch.int8) - 8, scales, None, _NUMBERS)
        if self.encoding is BlockFormat.Q8_0:
            return blocks_of_8_bits(values, scales)
        return numbers(values, scales, None, _NUMBERS)


def weights(checkpoint: Checkpoint, config: Mapping[str, Any]) -> dict[str, QuantizedWeight]:
    """Return the weights of a compressed-tensors checkpoint.

    Raises:
        CheckpointError: some have zeros, are in another format or in an order of their own.
    """
    found: dict[str, QuantizedWeight] = {}
    for name in checkpoint:
        prefix = name.removesuffix(".weight_scale")
        if prefix == name:
            continue
        for other, what in _UNREAD.items():
            if f"{prefix}.{other}" in checkpoint:
                raise CheckpointError(_refusal(prefix, f"has {what} of its own", config))
        is_packed = f"{prefix}.weight_packed" in checkpoint
        weight = f"{prefix}.{'weight_packed' if is_packed else 'weight'}"
        kind = checkpoint.kind(weight) if weight in checkpoint else "not there"
        if kind not in (("I32",) if is_packed else ("F8_E4M3", "I8")):
            raise CheckpointError(_refusal(prefix, f"is {kind}", config))
        if is_packed and checkpoint.shape(weight)[1] * 8 != _columns(checkpoint, prefix):
            raise CheckpointError(_refusal(prefix, "is not packed in 4 bits", config))
        found[f"{prefix}.weight"] = _ScaledWeight(checkpoint, prefix, is_packed)
    return found


def _columns(checkpoint: Checkpoint, prefix: str) -> int:
    name = f"{prefix}.weight_shape"
    return int(checkpoint.tensor(name)[1]) if name in checkpoint else -1


def _refusal(prefix: str, what: str, config: Mapping[str, Any]) -> str:
    return (
        f"the checkpoint is quantised (compressed-tensors, {config.get('format')}): {prefix} "
        f"{what}; read are symmetric weights in FP8 (E4M3), int8, and 4 bits (pack-quantized)"
    )
