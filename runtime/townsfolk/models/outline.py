"""What a decoder's weights take, before there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from townsfolk_kernels.ops.stacked import Part, StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.checkpoint import TensorStore
from townsfolk.models.adapters import BoundAdapter
from townsfolk.models.loading import check_tensors, stays_in_blocks
from townsfolk.models.mixes import Mix
from townsfolk.models.names import GGUF_NAMES, Architecture
from townsfolk.models.quantized import BlockSource
from townsfolk.models.spec import DecoderSpec, product_parameters
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec

META = torch.device("meta")

Formats = Callable[[TensorSpec], BlockFormat | None]
"""The format in which a tensor is, or None for numbers."""


@dataclass(frozen=True, slots=True)
class WeightOutline:
    """What is known of a decoder's weights before they are loaded.

    Attributes:
        nbytes: memory that they take.
        is_quantized: whether any is in blocks.
        step_bytes: what a step can't do without reading: each product's weight once, as files have
            it, without what a device's layout adds; None where that is not known.
    """

    nbytes: int
    is_quantized: bool = False
    step_bytes: int | None = None

    @classmethod
    def of_numbers(cls, spec: DecoderSpec, dtype: torch.dtype) -> WeightOutline:
        """Return weights in one dtype."""
        products = sum(product_parameters(layer, spec.hidden_size) for layer in spec.layers)
        products += spec.vocab_size * spec.hidden_size
        return cls(spec.num_parameters * dtype.itemsize, step_bytes=products * dtype.itemsize)

    @classmethod
    def of_weights(cls, weights: DecoderWeights) -> WeightOutline:
        """Return weights that are there already."""
        read = sum(map(_stored_bytes, weights.projections))
        return cls(weights.nbytes, weights.is_quantized, read)

    def with_adapter(self, adapter: BoundAdapter, precision: Precision) -> WeightOutline:
        """Return these weights with an adapter merged into them; see `merge_adapter`."""
        if not self.is_quantized:
            return self
        beside = adapter.nbytes * precision.residual.itemsize // torch.float32.itemsize
        read = None if self.step_bytes is None else self.step_bytes + beside
        return replace(self, nbytes=self.nbytes + beside, step_bytes=read)

    @classmethod
    def of_mix(
        cls, spec: DecoderSpec, mix: Mix, dtype: torch.dtype, device: torch.device
    ) -> WeightOutline:
        """Return weights in the formats of a mix; what is none of its matrices is in `dtype`."""
        architecture = Architecture(spec, GGUF_NAMES)
        return cls._of(architecture, lambda each: mix.format_of(each, spec), dtype, device)

    @classmethod
    def of_checkpoint(
        cls,
        architecture: Architecture,
        checkpoint: TensorStore,
        dtype: torch.dtype,
        device: torch.device,
    ) -> WeightOutline:
        """Return weights as `load_weights` would load them.

        Raises:
            CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
        """
        found = check_tensors(architecture, checkpoint)
        return cls._of(found, lambda each: stays_in_blocks(checkpoint, each), dtype, device)

    @classmethod
    def _of(
        cls, architecture: Architecture, formats: Formats, dtype: torch.dtype, device: torch.device
    ) -> WeightOutline:
        precision = Precision.choose(dtype, device)
        tensors = _OutlinedTensors(formats, device, dtype)
        return cls.of_weights(DecoderWeights.build(architecture, precision, tensors))


class _OutlinedTensors(BlockSource):
    """Gives tensors without memory, in the layouts of a device."""

    def __init__(self, formats: Formats, target: torch.device, dtype: torch.dtype) -> None:
        """Give tensors as they would be on `target`, in `dtype` where any will do."""
        super().__init__(META, dtype, target)
        self._formats = formats

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        shape = (sum(spec.rows for spec in specs), *specs[0].row_shape)
        return torch.empty(shape, dtype=dtype or self._dtype, device=META)

    def block_format(self, spec: TensorSpec) -> BlockFormat | None:
        """See `BlockSource`."""
        return self._formats(spec)

    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """Leave it empty."""


def _stored_bytes(weight: Part) -> int:
    if isinstance(weight, StackedWeight):
        return sum(map(_stored_bytes, weight.parts))
    if isinstance(weight, QuantizedMatrix):
        return weight.rows * weight.block_format.row_bytes(weight.columns)
    return weight.nbytes
