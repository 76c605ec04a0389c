"""Which columns of a weight matter most: the mean squares of what a text multiplies them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from townsfolk_kernels import LinearWeight

from townsfolk.kv import KvCache
from townsfolk.models import Architecture, Chunk, Decoder, ModelBatch
from townsfolk.models.weights import DecoderWeights, Layer

_BLOCK_SIZE = 16


@dataclass(slots=True)
class _RecordedWeight:
    """A weight that notes what it is multiplied with; see `LinearWeight`."""

    weight: LinearWeight
    sums: Tensor | None = None  # of squares, [columns] fp32
    rows: int = 0

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.weight.nbytes

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """See `LinearWeight`."""
        return self.weight.dense()

    def product(self, x: Tensor) -> Tensor:
        """See `LinearWeight`."""
        squares = x.float().square().sum(0)
        self.sums = squares if self.sums is None else self.sums + squares
        self.rows += x.shape[0]
        return self.weight.product(x)

    def mean(self) -> Tensor:
        """Mean squares by column, [columns] fp32, on the CPU."""
        assert self.sums is not None
        return (self.sums / self.rows).cpu()


@torch.inference_mode()
def measure(
    decoder: Decoder, architecture: Architecture, texts: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """Run a decoder over texts.

    Args:
        decoder: the model.
        architecture: what its tensors are called.
        texts: token ids; of each text as much as the model's context holds is read.

    Returns:
        Mean squares by the name of each projection's tensor, [columns] fp32.
    """
    weights = decoder.weights
    recorded = [_recorded(layer) for layer in weights.layers]
    head = _RecordedWeight(weights.head)
    own = DecoderWeights(weights.embedding, weights.positions, tuple(recorded), weights.norm, head)
    running = Decoder(decoder.spec, own, decoder.precision, decoder.device)
    longest = max(map(len, texts))
    blocks = list(range(-(-longest // _BLOCK_SIZE)))
    kv = KvCache.allocate(decoder.spec, len(blocks), _BLOCK_SIZE, decoder.dtype, decoder.device)
    for text in texts:
        batch = ModelBatch.build([Chunk(text, 0, blocks)], _BLOCK_SIZE, decoder.device)
        running.logits(running.forward(batch, kv))
    names = architecture.names
    found: dict[str, Tensor] = {}
    for number, layer in enumerate(recorded):
        prefix = f"{names.root}{names.layer.format(number)}"
        parts = {"qkv": names.qkv, "output": (names.output,), "up": names.up, "down": (names.down,)}
        for field, of_part in parts.items():
            mean = getattr(layer, field).mean()
            found |= {f"{prefix}{name}.weight": mean for name in of_part}
    found[f"{names.head}.weight"] = head.mean()
    if decoder.spec.head.tied:
        found[f"{names.root}{names.embedding}.weight"] = head.mean()
    return found


def _recorded(layer: Layer) -> Layer:
    return replace(
        layer,
        qkv=_RecordedWeight(layer.qkv),
        output=_RecordedWeight(layer.output),
        up=_RecordedWeight(layer.up),
        down=_RecordedWeight(layer.down),
    )
