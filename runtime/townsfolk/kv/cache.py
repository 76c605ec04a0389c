"""The tensors that hold the keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from townsfolk.models.config import DecoderConfig

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
        config: DecoderConfig,
        num_blocks: int,
        block_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> KvCache:
        """Allocates `num_blocks` blocks of undefined content.

        On the CPU untouched pages take no memory: a generous limit costs nothing until it is used.
        """
        shape = (num_blocks, config.num_kv_heads, block_size, config.head_dim)
        # In one piece: on a GPU each would be rounded up to 2 MiB, 128 MiB in all for 32 layers.
        pages = torch.empty((2, config.num_layers, *shape), dtype=dtype, device=device)
        return cls(list(pages[0].unbind()), list(pages[1].unbind()), block_size)

    @property
    def num_blocks(self) -> int:
        """Blocks in the cache."""
        return self.k[0].shape[0]

    def copy_block(self, source: int, target: int) -> None:
        """Copies a block's keys and values in all layers, in the order of the device's stream."""
        for pages in (self.k, self.v):
            for page in pages:
                page[target].copy_(page[source])


def block_bytes(config: DecoderConfig, block_size: int, dtype: torch.dtype) -> int:
    """Bytes of one block: keys and values of all layers."""
    per_token = 2 * config.num_layers * config.num_kv_heads * config.head_dim
    return per_token * block_size * dtype.itemsize
