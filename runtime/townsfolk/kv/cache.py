"""The tensors that hold the keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from townsfolk.models.spec import DecoderSpec

MIB = 1024 * 1024


@dataclass(slots=True)
class KvCache:
    """Keys and values of all layers, in blocks of `block_size` tokens.

    Attributes:
        k: one tensor a layer, [num_blocks, kv_heads, block_size, head_dim].
        v: as `k`.
        block_size: tokens in a block.
    """

    k: list[Tensor]
    v: list[Tensor]
    block_size: int

    @classmethod
    def allocate(
        cls,
        spec: DecoderSpec,
        num_blocks: int,
        block_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> KvCache:
        """Allocates `num_blocks` blocks of undefined content.

        On the CPU untouched pages take no memory: a generous limit costs nothing until it is used.
        """
        shapes = [
            (num_blocks, layer.attention.num_kv_heads, block_size, layer.attention.head_dim)
            for layer in spec.layers
        ] * 2
        sizes = [math.prod(shape) for shape in shapes]
        # In one piece: on a GPU each would be rounded up to 2 MiB, 128 MiB in all for 32 layers.
        whole = torch.empty(sum(sizes), dtype=dtype, device=device)
        pages = [part.view(shape) for part, shape in zip(whole.split(sizes), shapes, strict=True)]
        return cls(pages[: spec.num_layers], pages[spec.num_layers :], block_size)

    @property
    def num_blocks(self) -> int:
        """Blocks in the cache."""
        return self.k[0].shape[0]

    def copy_block(self, source: int, target: int) -> None:
        """Copies a block's keys and values in all layers, in the order of the device's stream."""
        for pages in (self.k, self.v):
            for page in pages:
                page[target].copy_(page[source])


def block_bytes(spec: DecoderSpec, block_size: int, dtype: torch.dtype) -> int:
    """Bytes of one block: keys and values of all layers."""
    per_token = sum(2 * layer.attention.kv_width for layer in spec.layers)
    return per_token * block_size * dtype.itemsize
