"""The tensors that hold the keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload
from townsfolk_kernels.pages import piece_bytes, view_pages

from townsfolk.models.spec import DecoderSpec

MIB = 1024 * 1024


@dataclass(slots=True)
class KvCache:
    """Keys and values of all layers, in blocks of `block_size` tokens.

    Attributes:
        k: one tensor a layer, [num_blocks, kv_heads, block_size, head_dim]; of 8 bits with scales
            between, see `townsfolk_kernels.pages`.
        v: as `k`.
        block_size: tokens in a block.
        memory: what `k` and `v` lie in, a tensor each, [num_blocks, elements of a block].
    """

    k: list[Tensor]
    v: list[Tensor]
    block_size: int
    memory: list[Tensor]

    @classmethod
    def allocate(
        cls,
        spec: DecoderSpec,
        num_blocks: int,
        block_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> KvCache:
        """Allocate `num_blocks` blocks of undefined content.

        On the CPU untouched pages take no memory: a generous limit costs nothing until it is used.
        """
        attentions = [layer.attention for layer in spec.layers] * 2
        widths = [
            each.num_kv_heads * piece_bytes(block_size, each.head_dim, dtype) // dtype.itemsize
            for each in attentions
        ]
        # In one piece: on a GPU each would be rounded up to 2 MiB, 128 MiB in all for 32 layers.
        whole = torch.empty(num_blocks * sum(widths), dtype=dtype, device=device)
        memory = list(whole.split([num_blocks * width for width in widths]))
        pages = [
            view_pages(part, num_blocks, each.num_kv_heads, block_size, each.head_dim)
            for part, each in zip(memory, attentions, strict=True)
        ]
        count = spec.num_layers
        rows = [part.view(num_blocks, -1) for part in memory]
        return cls(pages[:count], pages[count:], block_size, rows)

    @property
    def num_blocks(self) -> int:
        """Blocks in the cache."""
        return self.k[0].shape[0]

    def copy_block(self, source: int, target: int) -> None:
        """Copy a block's keys and values in all layers, in the order of the device's stream."""
        for each in self.memory:
            each[target].copy_(each[source])

    def spread_block(self, source: int, targets: Sequence[int]) -> None:
        """Copy a block's keys and values to each of others, as `copy_block` does."""
        both = upload(np.array([source, *targets], dtype=np.int64), self.memory[0].device)
        self.spread(both[:1], both[1:])

    def spread(self, source: Tensor, targets: Tensor) -> None:
        """Copy a block's keys and values to each of others, which may be that block itself.

        Args:
            source: [1], int64.
            targets: [blocks], int64.
        """
        for each in _joined(self.memory):
            each[:, targets] = each.index_select(1, source)


def _joined(memory: Sequence[Tensor]) -> list[Tensor]:
    """View tensors of equal shape that lie side by side as one, [tensors, blocks, elements]."""
    first, size = memory[0], memory[0].nbytes
    side_by_side = all(
        each.shape == first.shape and each.data_ptr() == first.data_ptr() + number * size
        for number, each in enumerate(memory)
    )
    if not side_by_side:
        return [each.unsqueeze(0) for each in memory]
    return [first.as_strided((len(memory), *first.shape), (first.numel(), *first.stride()))]


def block_bytes(spec: DecoderSpec, block_size: int, dtype: torch.dtype) -> int:
    """Return bytes of one block: keys and values of all layers."""
    attentions = (layer.attention for layer in spec.layers)
    return sum(
        2 * each.num_kv_heads * piece_bytes(block_size, each.head_dim, dtype) for each in attentions
    )
