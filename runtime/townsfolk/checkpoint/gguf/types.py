"""Types of tensors in GGUF files."""

from __future__ import annotations

import torch
from townsfolk_kernels.quantized.blocks import BlockFormat, Layout

# The format's numbers; those that are not read are here so that they can be named.
TYPE_NAMES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
    23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
}  # fmt: skip
DENSE_TYPES = {0: torch.float32, 1: torch.float16, 30: torch.bfloat16}
_BLOCK_NAMES = {block_format.name for block_format in BlockFormat}
BLOCK_TYPES = {
    number: BlockFormat[name] for number, name in TYPE_NAMES.items() if name in _BLOCK_NAMES
}


def size_of(number: int) -> Layout | None:
    """Return values and bytes of a block of this type; None for one that is not read."""
    if number in DENSE_TYPES:
        return Layout(1, DENSE_TYPES[number].itemsize)
    return BLOCK_TYPES[number].layout if number in BLOCK_TYPES else None


def readable() -> str:
    """Return the types that are read, for messages."""
    return ", ".join(TYPE_NAMES[number] for number in sorted({*DENSE_TYPES, *BLOCK_TYPES}))
