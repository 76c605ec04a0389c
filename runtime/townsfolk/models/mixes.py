"""Which format each matrix of a quantised model has, by the names that llama.cpp's tools give.

They spend more bits where they help most: on the head, on values, and on the down projections of
some layers (https://github.com/ggml-org/llama.cpp, src/llama-quant.cpp).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from townsfolk_kernels.quantized.blocks import BlockFormat

from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import TensorSpec

_LAYER = re.compile(r"blk\.([0-9]+)\.([a-z_]+)\.weight")
_TABLE, _POSITIONS, _HEAD = "token_embd.weight", "position_embd.weight", "output.weight"
# Where rows are no whole number of blocks of 256 values, blocks of 32 take their place.
_SHORTER = {
    BlockFormat.Q2_K: BlockFormat.Q4_0,
    BlockFormat.Q3_K: BlockFormat.Q4_0,
    BlockFormat.Q4_K: BlockFormat.Q5_0,
    BlockFormat.Q5_K: BlockFormat.Q5_1,
    BlockFormat.Q6_K: BlockFormat.Q8_0,
    BlockFormat.IQ4_XS: BlockFormat.IQ4_NL,
}


@dataclass(frozen=True, slots=True)
class Mix:
    """Formats of a model's matrices.

    Attributes:
        base: of all that are not named below.
        head: of the output projection, or of the embedding that stands for it.
        finer: of values and down projections in three of eight layers; None for `base`.
    """

    base: BlockFormat
    head: BlockFormat
    finer: BlockFormat | None = None

    def format_of(self, tensor: TensorSpec, spec: DecoderSpec) -> BlockFormat | None:
        """Return the format of a tensor of a decoder, by its name in a GGUF file; None for numbers.

        Vectors are numbers, and matrices whose rows no block fits.
        """
        if len(tensor.shape) != 2 or tensor.name == _POSITIONS:
            return None
        chosen, columns = self._wanted(tensor.name, spec), tensor.shape[1]
        if columns % chosen.layout.values:
            chosen = _SHORTER.get(chosen, chosen)
        return None if columns % chosen.layout.values else chosen

    def _wanted(self, name: str, spec: DecoderSpec) -> BlockFormat:
        if name == (_TABLE if spec.head.tied else _HEAD):
            return self.head
        match = _LAYER.fullmatch(name)
        if self.finer is None or match is None or match[2] not in ("attn_v", "ffn_down"):
            return self.base
        return self.finer if _has_more_bits(int(match[1]), spec.num_layers) else self.base


def _has_more_bits(layer: int, layers: int) -> bool:
    """Return the first and the last eighth of the layers, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


MIXES = {
    "q8_0": Mix(BlockFormat.Q8_0, BlockFormat.Q8_0),
    "q6_k": Mix(BlockFormat.Q6_K, BlockFormat.Q6_K),
    "q5_k_m": Mix(BlockFormat.Q5_K, BlockFormat.Q6_K, BlockFormat.Q6_K),
    "q4_k_m": Mix(BlockFormat.Q4_K, BlockFormat.Q6_K, BlockFormat.Q6_K),
    "q5_1": Mix(BlockFormat.Q5_1, BlockFormat.Q6_K),
    "q5_0": Mix(BlockFormat.Q5_0, BlockFormat.Q6_K),
    "q4_1": Mix(BlockFormat.Q4_1, BlockFormat.Q6_K),
    "q4_0": Mix(BlockFormat.Q4_0, BlockFormat.Q6_K),
}
