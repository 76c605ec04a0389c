"""A flat batch: the tokens of many sequences in one row, prefill chunks and decode alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels import PagedLayout, upload

from townsfolk.models.adapters import BatchAdapters

_CPU = torch.device("cpu")


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


@dataclass(frozen=True, slots=True)
class FlatChunks:
    """Chunks one after the other, on the host; sequence b of them is chunk b.

    Attributes:
        tokens: [3, tokens], int64: token ids, positions, and where keys and values go, as
            `ModelBatch` says.
        starts: [chunks + 1], int32: where each chunk's tokens begin; the last is where they end.
        lengths: [chunks], int32: positions of each sequence, with its new tokens.
        tables: [chunks, most blocks], int32: block tables.
        longest: the most tokens of a chunk.
    """

    tokens: NDArray[np.int64]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]
    tables: NDArray[np.int32]
    longest: int

    @classmethod
    def of(cls, chunks: Sequence[Chunk], block_size: int) -> FlatChunks:
        """Lay chunks out.

        Raises:
            ValueError: there is no chunk, a chunk is empty, or its block table is too short.
        """
        if not chunks:
            raise ValueError("a batch needs at least one chunk")
        for index, chunk in enumerate(chunks):
            length = chunk.start + len(chunk.token_ids)
            if not chunk.token_ids:
                raise ValueError(f"chunk {index} has no tokens")
            if length > len(chunk.block_ids) * block_size:
                raise ValueError(
                    f"chunk {index} reaches {length} positions, but its {len(chunk.block_ids)} "
                    f"blocks hold {len(chunk.block_ids) * block_size}"
                )
        counts = np.array([len(chunk.token_ids) for chunk in chunks])
        first = np.array([chunk.start for chunk in chunks])
        ends, lengths = np.cumsum(counts), first + counts
        used = -(-lengths // block_size)
        tables = np.zeros((len(chunks), used.max()), dtype=np.int32)
        for row, chunk, count in zip(tables, chunks, used, strict=True):
            row[:count] = chunk.block_ids[:count]
        owners = np.repeat(np.arange(len(chunks)), counts)
        positions = np.arange(ends[-1]) + np.repeat(first - (ends - counts), counts)
        slots = tables[owners, positions // block_size].astype(np.int64) * block_size
        token_ids = np.fromiter(chain.from_iterable(each.token_ids for each in chunks), np.int64)
        return cls(
            np.stack((token_ids, positions, slots + positions % block_size)),
            np.array([0, *ends], dtype=np.int32),
            lengths.astype(np.int32),
            tables,
            int(counts.max()),
        )


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
        cls, chunks: Sequence[Chunk], block_size: int, device: torch.device = _CPU
    ) -> ModelBatch:
        """Lay the chunks out one after the other; sequence b of the batch is `chunks[b]`.

        Raises:
            ValueError: there is no chunk, a chunk is empty, or its block table is too short.
        """
        flat = FlatChunks.of(chunks, block_size)
        wide = upload(flat.tokens, device)
        return cls(
            token_ids=wide[0],
            positions=wide[1],
            slots=wide[2],
            layout=PagedLayout(
                query_starts=upload(flat.starts, device),
                kv_lengths=upload(flat.lengths, device),
                block_tables=upload(flat.tables, device),
                block_size=block_size,
                longest=flat.longest,
            ),
        )
