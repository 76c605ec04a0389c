"""Quantised safetensors: Townsfolk's own, and the layouts that are common on the Hugging Face hub.

A weight of several tensors there is one tensor here, in blocks where its numbers fit into blocks
exactly (up to fp16 rounding of scales), else as 16-bit numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from townsfolk.checkpoint.quantized import awq, compressed, gptq, own
from townsfolk.checkpoint.quantized.checkpoint import QuantizedCheckpoint
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError

__all__ = ["METHODS", "QuantizedCheckpoint", "open_quantized"]

_OPENERS = {
    own.METHOD: own.weights,
    "gptq": gptq.weights,
    "awq": awq.weights,
    "compressed-tensors": compressed.weights,
}
METHODS = tuple(_OPENERS)
"""Values of `quant_method` that are read."""


def open_quantized(checkpoint: Checkpoint, config: Mapping[str, Any]) -> QuantizedCheckpoint:
    """Return the weights of a checkpoint as its `quantization_config` describes them.

    Raises:
        CheckpointError: they are in a layout that is not read; the message says which are.
    """
    method = config.get("quant_method")
    opener = _OPENERS.get(str(method))
    if opener is None:
        raise CheckpointError(
            f"the checkpoint is quantised ({method}); read are {', '.join(METHODS)} and GGUF files"
        )
    return QuantizedCheckpoint(checkpoint, opener(checkpoint, config))
