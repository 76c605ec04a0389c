"""Townsfolk's own layout: a weight is one tensor of bytes, its rows in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat

from townsfolk.checkpoint.quantized.checkpoint import QuantizedWeight
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError, Reading

METHOD = "townsfolk"
VERSION = 1


@dataclass(frozen=True)
class _Blocks(QuantizedWeight):
    """Rows of blocks as they lie in a file."""

    checkpoint: Checkpoint
    name: str
    block_format: BlockFormat

    @property
    def shape(self) -> tuple[int, int]:
        rows, row_bytes = self.checkpoint.shape(self.name)
        size = self.block_format.layout
        return rows, row_bytes // size.nbytes * size.values

    @property
    def encoding(self) -> BlockFormat:
        return self.block_format

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.name,)

    def rows(self, first: int, count: int) -> Tensor:
        return self.checkpoint.tensor(self.name)[first : first + count]

    def part(self, begin: int) -> Reading:
        return self.checkpoint.stored(self.name).part(begin)


def description(formats: Mapping[str, BlockFormat]) -> dict[str, Any]:
    """Return the `quantization_config` of a checkpoint with weights in these formats, by name."""
    blocks = {name: block_format.value for name, block_format in formats.items()}
    return {"quant_method": METHOD, "version": VERSION, "blocks": blocks}


def weights(checkpoint: Checkpoint, config: Mapping[str, Any]) -> dict[str, QuantizedWeight]:
    """Return the weights that a `quantization_config` describes."""
    if config.get("version") != VERSION:
        raise CheckpointError(
            f"quantization_config is of version {config.get('version')!r}; {VERSION} is read: "
            "update Townsfolk, or quantise the model again"
        )
    blocks = config.get("blocks")
    if not isinstance(blocks, dict):
        raise CheckpointError("quantization_config.blocks must give the weights' formats by name")
    return {name: _weight(checkpoint, name, value) for name, value in blocks.items()}


def _weight(checkpoint: Checkpoint, name: str, value: object) -> _Blocks:
    try:
        block_format = BlockFormat(value)
    except ValueError:
        known = ", ".join(each.value for each in BlockFormat)
        raise CheckpointError(
            f"{name} is in blocks of the unknown format {value!r}; known are {known}"
        ) from None
    if name not in checkpoint:
        raise CheckpointError(f"quantization_config names {name}, which is not there")
    kind, shape = checkpoint.kind(name), checkpoint.shape(name)
    size = block_format.layout
    if kind != "U8" or len(shape) != 2 or shape[1] % size.nbytes:
        raise CheckpointError(
            f"{name} is {kind} {list(shape)}, but {block_format.name} blocks are rows of bytes "
            f"(U8) of which {size.nbytes} make a block"
        )
    return _Blocks(checkpoint, name, block_format)
