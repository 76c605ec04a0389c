"""GPTQ: integers packed along the input features, scales and zeros by group.

Of a weight [out, in] there are `qweight` [in * bits / 32, out] and `qzeros` [groups, out * bits /
32] int32, `scales` [groups, out] fp16, and `g_idx` [in]: which group a column belongs to. Zeros are
stored less one, but in the format `gptq_v2`.
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
    FOUR_BITS,
    blocks_of_4_bits,
    blocks_of_8_bits,
    fits,
    numbers,
    unpack_columns,
)
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError, Encoding

_NUMBERS = torch.float16
_BITS = (4, 8)


@dataclass(frozen=True)
class _GptqWeight(QuantizedWeight):
    checkpoint: Checkpoint
    prefix: str
    bits: int
    stored_less: int

    @property
    def parts(self) -> tuple[str, ...]:
        names = (f"{self.prefix}.{name}" for name in ("qweight", "qzeros", "scales", "g_idx"))
        return tuple(name for name in names if name in self.checkpoint)

    @cached_property
    def shape(self) -> tuple[int, int]:
        words, rows = self.checkpoint.shape(f"{self.prefix}.qweight")
        return rows, words * 32 // self.bits

    @cached_property
    def encoding(self) -> Encoding:
        if self._order is not None or not fits(self.shape[1], len(self._scales)):
            return _NUMBERS
        middle = bool((self._zeros == 1 << (self.bits - 1)).all())
        if self.bits == 4:
            return FOUR_BITS[middle]
        return BlockFormat.Q8_0 if middle else _NUMBERS

    @cached_property
    def _scales(self) -> Tensor:
        """[groups, rows]."""
        return self.checkpoint.tensor(f"{self.prefix}.scales")

    @cached_property
    def _zeros(self) -> Tensor:
        """[groups, rows]."""
        stored = self.checkpoint.tensor(f"{self.prefix}.qzeros")
        return unpack_columns(stored, self.bits) + self.stored_less

    @cached_property
    def _order(self) -> Tensor | None:
        """The group of each column, where columns of a group are not neighbours."""
        name = f"{self.prefix}.g_idx"
        if name not in self.checkpoint:
            return None
        groups = self.checkpoint.tensor(name).long()
        size = -(-self.shape[1] // len(self._scales))
        plain = torch.arange(self.shape[1]) // size
        return None if torch.equal(groups, plain) else groups

    def rows(self, first: int, count: int) -> Tensor:
        at = slice(first, first + count)
        words = self.checkpoint.tensor(f"{self.prefix}.qweight")[:, at]
        integers = unpack_columns(words.T.contiguous(), self.bits)  # [count, columns]
        scales, zeros = self._scales[:, at].T, self._zeros[:, at].T
        if self._order is not None:
            scales, zeros = scales[:, self._order], zeros[:, self._order]
        if self.encoding == _NUMBERS:
            return numbers(integers, scales, zeros, _NUMBERS)
        if self.encoding is BlockFormat.Q8_0:
            return blocks_of_8_bits((integers.short() - 128).to(torch.int8), scales)
        return blocks_of_4_bits(
            integers, scales, None if self.encoding is BlockFormat.Q4_0 else zeros
        )


def weights(checkpoint: Checkpoint, config: Mapping[str, Any]) -> dict[str, QuantizedWeight]:
    """Return the weights of a GPTQ checkpoint.

    Raises:
        CheckpointError: they have another number of bits than 4 or 8.
    """
    bits = config.get("bits")
    if bits not in _BITS:
        raise CheckpointError(
            f"the checkpoint is quantised (gptq) in {bits} bits; read are 4 and 8"
        )
    less = 0 if config.get("checkpoint_format") == "gptq_v2" else 1
    prefixes = [name.removesuffix(".qweight") for name in checkpoint if name.endswith(".qweight")]
    return {f"{prefix}.weight": _GptqWeight(checkpoint, prefix, bits, less) for prefix in prefixes}
