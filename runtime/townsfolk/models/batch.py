"""A flat batch: the tokens of many sequences in one row, prefill chunks and decode alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout

from townsfolk.models.adapters import BatchAdapters


class KvPages(Protocol):
    """Keys and values of every layer, each [num_blocks, kv_heads, block_size, head_dim]."""

    @property
    def k(self) -> Sequence[Tensor]:
        """Keys, a tensor per layer."""

    @property
    def v(self) -> Sequence[Tensor]:
        """Values, a tensor per layer."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """New tokens of one sequence.

    Attributes:
        token_ids: the tokens, at least one.
        start: position of the first of them; all positions before it are in the pages already.
        block_ids: the sequence's block table, long enough for `start + len(token_ids)` positions.
    """

    token_ids: Sequence[int]
    start: int
    block_ids: Sequence[int]


@dataclass(slots=True)
class ModelBatch:
    """Tokens of many sequences, one after the other.

    Attributes:
        token_ids: [tokens], int64.
        positions: [tokens], int64, in the token's own sequence.
        slots: [tokens], int64: where its keys and values go, block * block_size + offset.
        layout: the sequences.
        adapters: of its rows; None where no row has any.
    """

    token_ids: Tensor
    positions: Tensor
    slots: Tensor
    layout: PagedLayout
    adapters: BatchAdapters | None = None

    @classmethod
    def build(
        cls, chunks: Sequence[Chunk], block_size: int, device: torch.device | str = "cpu"
    ) -> ModelBatch:
        """Lay the chunks out one after the other; sequence b of the batch is `chunks[b]`.

        Raises:
            ValueError: there is no chunk, a chunk is empty, or its block table is too short.
        """
        if not chunks:
            raise ValueError("a batch needs at least one chunk")
        token_ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        starts = [0]
        lengths: list[int] = []
        for index, chunk in enumerate(chunks):
            length = chunk.start + len(chunk.token_ids)
            if not chunk.token_ids:
                raise ValueError(f"chunk {index} has no tokens")
            if length > len(chunk.block_ids) * block_size:
                raise ValueError(
                    f"chunk {index} reaches {length} positions, but its {len(chunk.block_ids)} "
                    f"blocks hold {len(chunk.block_ids) * block_size}"
                )
            token_ids.extend(chunk.token_ids)
            positions.extend(range(chunk.start, length))
            slots.extend(
                chunk.block_ids[position // block_size] * block_size + position % block_size
                for position in range(chunk.start, length)
            )
            starts.append(len(token_ids))
            lengths.append(length)
        used = [-(-length // block_size) for length in lengths]
        widest = max(used)
        tables = [
            [*chunk.block_ids[:count], *[0] * (widest - count)]
            for chunk, count in zip(chunks, used, strict=True)
        ]
        return cls(
            token_ids=torch.tensor(token_ids, device=device),
            positions=torch.tensor(positions, device=device),
            slots=torch.tensor(slots, device=device),
            layout=PagedLayout(
                query_starts=torch.tensor(starts, dtype=torch.int32, device=device),
                kv_lengths=torch.tensor(lengths, dtype=torch.int32, device=device),
                block_tables=torch.tensor(tables, dtype=torch.int32, device=device),
                block_size=block_size,
                longest=max(len(chunk.token_ids) for chunk in chunks),
            ),
        )
