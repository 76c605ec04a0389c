"""Random weights, for measurements and tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import QuantizedMatrix
from townsfolk_kernels.quantized.random_blocks import random_blocks

from townsfolk.models.mixes import Mix
from townsfolk.models.quantized import BlockSource
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import TensorSpec

DEVIATION = 0.02
# Rows of blocks that are drawn at once.
_DRAWN_ROWS = 8192


class RandomTensors(BlockSource):
    """Draws weights: normal with deviation 0.02, norms near one; or blocks of such values."""

    def __init__(
        self,
        spec: DecoderSpec,
        dtype: torch.dtype,
        device: torch.device,
        seed: int,
        mix: Mix | None,
    ) -> None:
        """Draw weights of a decoder.

        Args:
            spec: the decoder.
            dtype: of tensors for which any will do.
            device: where they go.
            seed: of the draw.
            mix: the formats of its matrices, by their names in a GGUF file; None for numbers.
        """
        super().__init__(device, dtype)
        self._spec, self._mix = spec, mix
        self._generator = None  # on "meta" there is nothing to draw
        if device.type != "meta":
            self._generator = torch.Generator(device=device).manual_seed(seed)

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        shape = (sum(spec.rows for spec in specs), *specs[0].row_shape)
        weight = torch.empty(shape, dtype=dtype or self._dtype, device=self.device)
        mean = specs[0].mean + specs[0].offset
        return weight.normal_(mean, DEVIATION, generator=self._generator)

    def block_format(self, spec: TensorSpec) -> BlockFormat | None:
        """See `BlockSource`."""
        return None if self._mix is None else self._mix.format_of(spec, self._spec)

    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """See `BlockSource`."""
        if self._generator is None:
            return
        kind, columns = matrix.block_format, matrix.columns
        for first in range(0, spec.rows, _DRAWN_ROWS):
            count = min(_DRAWN_ROWS, spec.rows - first)
            raw = random_blocks(kind, count, columns, DEVIATION, self._generator)
            matrix.fill(begin + first, raw)
