"""A decoder whose parameters bear the checkpoint's names, for gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from townsfolk_kernels import LinearWeight
from townsfolk_kernels.ops.embedding import Table

from townsfolk.models import Architecture, read_config
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec, WeightSource
from townsfolk.training.module import DecoderModule, register

_FULL = Precision(torch.float32, torch.float32, torch.float32)
_DEVIATION = 0.02


@dataclass(frozen=True, slots=True)
class TrainedWeight:
    """A weight of parameters that are multiplied one by one; see `LinearWeight`.

    Attributes:
        parts: each a weight, as stored, and its bias.
        transposed: weights are stored [in_features, out_features].
    """

    parts: tuple[tuple[nn.Parameter, nn.Parameter | None], ...]
    transposed: bool = False

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(weight.nbytes for weight, _ in self.parts)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight as one tensor, and the bias."""
        weights: list[Tensor] = [w.mT if self.transposed else w for w, _ in self.parts]
        biases: list[Tensor] = [bias for _, bias in self.parts if bias is not None]
        return torch.cat(weights), torch.cat(biases) if biases else None

    def product(self, x: Tensor) -> Tensor:
        """`x @ weight.T + bias` of x [..., in_features]."""
        products = [
            F.linear(x, weight.mT if self.transposed else weight, bias)
            for weight, bias in self.parts
        ]
        return products[0] if len(products) == 1 else torch.cat(products, dim=-1)


class _Parameters(WeightSource):
    """Makes parameters of a module, drawn as GPT-2's are."""

    def __init__(self, module: nn.Module, architecture: Architecture) -> None:
        self._module = module
        names = architecture.names
        # What writes to the residual stream starts smaller.
        self._writers = tuple(f".{name}.weight" for name in (names.output, names.down))
        self._shrink = (2 * architecture.spec.num_layers) ** -0.5

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        (spec,) = specs
        return self._parameter(spec)

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        made = [self._parameter(spec) for spec in weights]
        of_parts: list[nn.Parameter | None] = [None] * len(made)
        of_parts[: len(biases)] = map(self._parameter, biases)
        return TrainedWeight(tuple(zip(made, of_parts, strict=True)), weights[0].transposed)

    def tied(self, embedding: Table, dtype: torch.dtype, roomy: bool) -> LinearWeight:
        assert isinstance(embedding, nn.Parameter)
        return TrainedWeight(((embedding, None),))

    def _parameter(self, spec: TensorSpec) -> nn.Parameter:
        value = torch.full(spec.shape, spec.mean)
        if len(spec.shape) > 1:
            shrink = self._shrink if spec.name.endswith(self._writers) else 1.0
            value.normal_(std=_DEVIATION * shrink)
        return register(self._module, spec.name, value)


class TrainableDecoder(DecoderModule):
    """A decoder of any family with all its weights as parameters."""

    def __init__(self, shape: Mapping[str, Any], architecture: Architecture | None = None) -> None:
        """A decoder with new weights.

        Args:
            shape: The contents of a `config.json`.
            architecture: What it says, if that is known already.

        Raises:
            UnsupportedModelError: No family has such a shape.
        """
        self.shape = dict(shape)
        self.architecture = architecture or read_config(shape)
        super().__init__(self.architecture.spec)
        source = _Parameters(self, self.architecture)
        self.use(DecoderWeights.build(self.architecture, _FULL, source))
