"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) beside a frozen decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from townsfolk_kernels import LinearWeight
from townsfolk_kernels.ops.embedding import Table
from townsfolk_kernels.quantized.matrix import RawMatrix

from townsfolk.checkpoint import Adapter, AdapterConfig, AdapterError, LowRank, TensorStore
from townsfolk.checkpoint.store import listed
from townsfolk.models import Architecture, TensorNames, open_source
from townsfolk.models.loading import check_tensors
from townsfolk.models.weights import (
    DecoderWeights,
    Precision,
    TensorSpec,
    WeightSource,
    expected_tensors,
)
from townsfolk.training.frozen import FrozenMatrix, FrozenTensors
from townsfolk.training.module import DecoderModule, register
from townsfolk.training.ops import Masks

_FULL = Precision(torch.float32, torch.float32, torch.float32)
_A, _B = ".lora_A.weight", ".lora_B.weight"
# Rows of logits that are there at once: with a large vocabulary they take more than all else.
_LOGIT_ROWS = 512


@dataclass(slots=True)
class Switch:
    """Whether an adapter is added to its model."""

    is_on: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedPart:
    """A frozen matrix, and what is learned beside it.

    Attributes:
        base: The frozen matrix.
        a: [rank, in_features]; None where the matrix is left as it is.
        b: [out_features, rank], likewise.
        scale: Factor of the product of the two.
        dropout: Leaves out some of the inputs of ``a`` while it is trained.
        switch: Whether the product is added.
    """

    base: FrozenMatrix
    a: nn.Parameter | None = None
    b: nn.Parameter | None = None
    scale: float = 1.0
    dropout: nn.Dropout | None = None
    switch: Switch = field(default_factory=Switch)

    def product(self, x: Tensor) -> Tensor:
        """`x @ (weight + scale * b @ a).T + bias` of x [..., in_features]."""
        out = self.base.product(x)
        if self.a is None or self.b is None or not self.switch.is_on:
            return out
        x = x.to(out.dtype)
        seen = x if self.dropout is None else self.dropout(x)
        return out + self.scale * F.linear(F.linear(seen, self.a.to(x.dtype)), self.b.to(x.dtype))


@dataclass(frozen=True, slots=True)
class LoraWeight:
    """Matrices that are multiplied one by one, their results one behind the other.

    See `LinearWeight`.
    """

    parts: tuple[AdaptedPart, ...]

    @property
    def nbytes(self) -> int:
        """Memory of what is frozen."""
        return sum(part.base.nbytes for part in self.parts)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return what is frozen as one tensor, and the bias."""
        weights, biases = zip(*(part.base.dense() for part in self.parts), strict=True)
        given = [bias for bias in biases if bias is not None]
        return torch.cat(weights), torch.cat(given) if given else None

    def product(self, x: Tensor) -> Tensor:
        """See `LinearWeight`; x is [..., in_features]."""
        products = [part.product(x) for part in self.parts]
        return products[0] if len(products) == 1 else torch.cat(products, dim=-1)


def module_names(architecture: Architecture, checkpoint: TensorStore) -> dict[str, str]:
    """Return transformers' names of modules that can be adapted, by their weights' names in files.

    These are all products within the layers.
    """
    ours = replace(architecture, names=architecture.names.rooted(checkpoint))
    named = _in_transformers(architecture.modules, ours.names.root)
    theirs = expected_tensors(Architecture(architecture.spec, named))
    layers = f"{named.root}{named.layer.split('{')[0]}"
    return {
        name: each.removesuffix(".weight")
        for name, each in zip(expected_tensors(ours), theirs, strict=True)
        if each.startswith(layers) and len(theirs[each].shape) == 2
    }


def _in_transformers(names: TensorNames, root: str) -> TensorNames:
    """Return the names with the root that modules have where those of the files have another.

    Files may lack it (OpenAI's GPT-2). Those of models that see, too, have the text decoder deeper
    than others of its family, the older ones at a place that transformers has given up.
    """
    deeper = root in names.roots[1:] and root != ""
    return replace(names, roots=names.roots[-1:] if deeper else names.roots[:1])


class LoraDecoder(DecoderModule):
    """A frozen decoder with an adapter, whose weights are all of its parameters.

    Attributes:
        config: What the adapter is.
        scales: The factor of each adapted module's product, by its name in transformers.
        switch: Whether the adapter is added.
        dropout: Of the adapter's inputs, while it is trained.
    """

    def __init__(
        self, path: Path, config: AdapterConfig, device: torch.device, seed: int = 0
    ) -> None:
        """Load a model, and begin an adapter that changes nothing yet.

        Args:
            path: A Hugging Face directory or a GGUF file, in any format that the engine runs.
            config: Of the adapter. Of the modules that it targets, those of the layers are adapted.
            device: Where the model goes.
            seed: Of the adapter's first weights.

        Raises:
            UnsupportedModelError: The model has a feature that is not implemented.
            CheckpointError: Its weights are broken.
            AdapterError: The config targets no module of the model.
        """
        source = open_source(path)
        architecture, checkpoint = source.architecture(), source.checkpoint()
        found = check_tensors(architecture, checkpoint)
        super().__init__(found.spec)
        self.config = config
        self.scales: dict[str, float] = {}
        self.switch = Switch()
        self.dropout = nn.Dropout(config.lora_dropout)  # a module, so that `eval` ends it
        tensors = FrozenTensors(checkpoint, device, found.names.neighbours)
        apart = Architecture(found.spec, replace(found.names, neighbours=False))
        modules = module_names(architecture, checkpoint)
        self.use(DecoderWeights.build(apart, _FULL, _Weights(self, tensors, modules, device, seed)))
        if not self.scales:
            ends = {name.rsplit(".", 1)[1] for name in modules.values()}
            raise AdapterError(
                f"nothing is adapted: the model's modules are {listed(sorted(ends))}"
            )

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """Be the frozen model alone meanwhile."""
        self.switch.is_on = False
        try:
            yield
        finally:
            self.switch.is_on = True

    def adapter(self) -> Adapter:
        """Return the adapter as it is now, in fp32, on the CPU."""
        tensors = {name: each.detach().cpu() for name, each in self.weights().items()}
        return Adapter(
            self.config,
            {
                name: LowRank(tensors[name + _A], tensors[name + _B], scale)
                for name, scale in self.scales.items()
            },
        )

    def load_adapter(self, adapter: Adapter) -> None:
        """Go on from an adapter of this config."""
        tensors = {name + _A: each.a.float() for name, each in adapter.weights.items()}
        tensors |= {name + _B: each.b.float() for name, each in adapter.weights.items()}
        self.load_weights(tensors)

    def losses(self, tokens: Tensor, positions: Tensor, masks: Masks, wanted: Tensor) -> Tensor:
        """See ``DecoderModule``; 0 where no loss is wanted, as no logits are made there."""
        hidden = self.hidden(tokens[:, :-1], positions, masks)
        rows, targets = hidden[wanted], tokens[:, 1:][wanted]  # [n, hidden], [n]
        parts = [
            checkpoint(self._losses_of, some, those, use_reentrant=False)
            for some, those in zip(rows.split(_LOGIT_ROWS), targets.split(_LOGIT_ROWS), strict=True)
        ]
        losses = torch.zeros(positions.shape, dtype=torch.float32, device=hidden.device)
        return losses.masked_scatter(wanted, torch.cat(parts))

    def _losses_of(self, hidden: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(hidden).float(), targets, reduction="none")

    def _embedding_multiplier(self) -> float:
        embedding = self.spec.embedding
        if not embedding.rounded:
            return embedding.multiplier
        return float(torch.tensor(embedding.multiplier).to(self.spec.dtype))


class _Weights(WeightSource):
    """Gives a decoder's weights as they are in its files, with parameters of an adapter."""

    def __init__(
        self,
        module: LoraDecoder,
        tensors: FrozenTensors,
        names: Mapping[str, str],
        device: torch.device,
        seed: int,
    ) -> None:
        self._module, self._tensors, self._names = module, tensors, names
        self._dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        self._generator = torch.Generator().manual_seed(seed)

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        (spec,) = specs
        return self._tensors.numbers(spec, torch.float32)

    def table(self, spec: TensorSpec) -> Table:
        return self._tensors.matrix(spec)

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        of_parts: list[Tensor | None] = [None] * len(weights)
        of_parts[: len(biases)] = [self._tensors.numbers(bias, torch.float32) for bias in biases]
        return LoraWeight(tuple(map(self._part, weights, of_parts)))

    def tied(self, embedding: Table, dtype: torch.dtype, roomy: bool) -> LinearWeight:
        assert isinstance(embedding, Tensor | RawMatrix)
        return FrozenMatrix(embedding, None, self._dtype)

    def _part(self, spec: TensorSpec, bias: Tensor | None) -> AdaptedPart:
        base = FrozenMatrix(self._tensors.matrix(spec), bias, self._dtype)
        module, config = self._module, self._module.config
        name = self._names.get(spec.name)
        if name is None or not config.targets(name):
            return AdaptedPart(base)
        columns, rank = spec.row_shape[0], config.rank_of(name)
        a = nn.init.kaiming_uniform_(
            torch.empty(rank, columns), a=5**0.5, generator=self._generator
        )
        module.scales[name] = scale = config.scale_of(name)
        return AdaptedPart(
            base,
            register(module, name + _A, a),
            register(module, name + _B, torch.zeros(spec.rows, rank)),
            scale,
            module.dropout if config.lora_dropout else None,
            module.switch,
        )
