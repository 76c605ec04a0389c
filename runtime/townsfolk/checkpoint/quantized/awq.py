"""AWQ: integers of 4 bits packed along the output features, scales and zeros by group.

Of a weight [out, in] there are `qweight` [in, out / 8] int32, `qzeros` [groups, out / 8] int32 and
`scales` [groups, out] fp16. Of the eight integers of a word the order is 0, 2, 4, 6, 1, 3, 5, 7.
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
from townsfolk.checkpoint.quantized.groups import blocks_of_4_bits, fits, numbers, unpack_columns
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError, Encoding

_NUMBERS = torch.float16
_PLACES = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])  # of output features 0 to 7 in a word
_WORD = 8


@dataclass(frozen=True)
class _AwqWeight(QuantizedWeight):
    checkpoint: Checkpoint
    prefix: str

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}.{name}" for name in ("qweight", "qzeros", "scales"))

    @cached_property
    def shape(self) -> tuple[int, int]:
        columns, words = self.checkpoint.shape(f"{self.prefix}.qweight")
        return words * _WORD, columns

    @property
    def encoding(self) -> Encoding:
        groups = self.checkpoint.shape(f"{self.prefix}.scales")[0]
        return BlockFormat.Q4_1 if fits(self.shape[1], groups) else _NUMBERS

    def rows(self, first: int, count: int) -> Tensor:
        begin, end = first // _WORD, -(-(first + count) // _WORD)
        within = slice(first - begin * _WORD, first - begin * _WORD + count)

        def unpacked(name: str) -> Tensor:
            words = self.checkpoint.tensor(f"{self.prefix}.{name}")[:, begin:end]
            places: Tensor = unpack_columns(words, 4).unflatten(1, (-1, _WORD))[..., _PLACES]
            return places.flatten(1)[:, within].T.contiguous()

        scales = self.checkpoint.tensor(f"{self.prefix}.scales")[:, first : first + count].T
        integers, zeros = unpacked("qweight"), unpacked("qzeros")
        if self.encoding == _NUMBERS:
            return numbers(integers, scales, zeros, _NUMBERS)
        return blocks_of_4_bits(integers, scales, zeros)


def weights(checkpoint: Checkpoint, config: Mapping[str, Any]) -> dict[str, QuantizedWeight]:
    """Return the weights of an AWQ checkpoint.

    Raises:
        CheckpointError: they are no integers of 4 bits, or in the order of other kernels.
    """
    bits, version = config.get("bits"), str(config.get("version", "gemm")).lower()
    if bits != 4 or version != "gemm":
        raise CheckpointError(
            f"the checkpoint is quantised (awq) in {bits} bits, version {version}; read are 4 "
            "bits, version gemm"
        )
    prefixes = [name.removesuffix(".qweight") for name in checkpoint if name.endswith(".qweight")]
    return {f"{prefix}.weight": _AwqWeight(checkpoint, prefix) for prefix in prefixes}
