"""What a decoder's weights will take, before they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import QUANTIZED, QuantizedMatrix

from townsfolk.checkpoint import TensorStore
from townsfolk.models.loading import FileTensors, check_tensors
from townsfolk.models.names import Architecture
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec

META = torch.device("meta")


class _OutlinedTensors(FileTensors):
    """Gives tensors without memory, in the layouts of a device."""

    def __init__(self, checkpoint: TensorStore, target: torch.device, dtype: torch.dtype) -> None:
        """See `FileTensors`; `target` is where the weights would go."""
        super().__init__(checkpoint, None, META, dtype)
        self._target = target

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        shape = (sum(spec.rows for spec in specs), *specs[0].row_shape)
        return torch.empty(shape, dtype=dtype or self._dtype, device=META)

    def allocate(self, kind: BlockFormat, rows: int, columns: int) -> QuantizedMatrix:
        """See `BlockSource`."""
        return QUANTIZED.pick(self._target.type)(kind, rows, columns, META)

    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """Leave it empty."""


@dataclass(frozen=True, slots=True)
class WeightOutline:
    """What is known of a decoder's weights before they are loaded.

    Attributes:
        nbytes: memory that they take.
        is_quantized: whether any is in blocks.
    """

    nbytes: int
    is_quantized: bool = False

    @classmethod
    def of_numbers(cls, spec: DecoderSpec, dtype: torch.dtype) -> WeightOutline:
        """Weights in one dtype."""
        return cls(spec.num_parameters * dtype.itemsize)

    @classmethod
    def of_weights(cls, weights: DecoderWeights) -> WeightOutline:
        """Weights that are there."""
        return cls(weights.nbytes, weights.is_quantized)

    @classmethod
    def of_checkpoint(
        cls,
        architecture: Architecture,
        checkpoint: TensorStore,
        dtype: torch.dtype,
        device: torch.device,
    ) -> WeightOutline:
        """Weights as `load_weights` would load them.

        Raises:
            CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
        """
        found = check_tensors(architecture, checkpoint)
        tensors = _OutlinedTensors(checkpoint, device, dtype)
        precision = Precision.choose(dtype, device)
        return cls.of_weights(DecoderWeights.build(found, precision, tensors))
