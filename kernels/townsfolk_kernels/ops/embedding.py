"""Token embedding."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from townsfolk_kernels.registry import Implementations


def embedding(token_ids: Tensor, weight: Tensor) -> Tensor:
    """Rows of the embedding table.

    Args:
        token_ids: [tokens], int64, each in [0, vocab).
        weight: [vocab, hidden].

    Returns:
        [tokens, hidden], dtype of `weight`.

    Raises:
        IndexError: an id lies outside the vocabulary (on CPU; unchecked on CUDA).
    """
    return _EMBEDDING.pick(token_ids.device.type)(token_ids, weight)


def _embedding_reference(token_ids: Tensor, weight: Tensor) -> Tensor:
    return weight.index_select(0, token_ids)


_EMBEDDING: Implementations[Callable[[Tensor, Tensor], Tensor]] = Implementations(
    _embedding_reference
)
