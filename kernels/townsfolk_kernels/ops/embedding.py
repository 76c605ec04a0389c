"""Token embedding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from townsfolk_kernels.quantized.matrix import QuantizedMatrix
from townsfolk_kernels.registry import Implementations

Table = Tensor | QuantizedMatrix
"""A vector for each token: [vocab, hidden]."""


def embedding(token_ids: Tensor, table: Table, dtype: torch.dtype) -> Tensor:
    """Return the rows of the embedding table.

    Args:
        token_ids: [tokens], int64, each in [0, vocab).
        table: [vocab, hidden].
        dtype: of the result.

    Returns:
        [tokens, hidden].

    Raises:
        IndexError: an id lies outside the vocabulary (on CPU; unchecked on CUDA).
    """
    return _EMBEDDING.pick(token_ids.device.type)(token_ids, table, dtype)


def _embedding_reference(token_ids: Tensor, table: Table, dtype: torch.dtype) -> Tensor:
    if isinstance(table, QuantizedMatrix):
        return table.gather(token_ids, dtype)
    return table.index_select(0, token_ids).to(dtype)


_EMBEDDING: Implementations[Callable[[Tensor, Table, torch.dtype], Tensor]] = Implementations(
    _embedding_reference
)
