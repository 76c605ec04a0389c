"""A checkpoint of which some weights are quantised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize

from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import CheckpointError, Encoding, Reading, StoredTensor, TensorStore


class QuantizedWeight(ABC):
    """A weight that is put together from tensors of a checkpoint; see `StoredTensor`."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    @abstractmethod
    def encoding(self) -> Encoding:
        """What `rows` gives."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names of the tensors that it is made of."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        encoding, columns = self.encoding, self.shape[1]
        if isinstance(encoding, BlockFormat):
            return encoding.row_bytes(columns)
        return columns * encoding.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.shape[0] * self.row_bytes

    @abstractmethod
    def rows(self, first: int, count: int) -> Tensor:
        """Return rows in blocks, [count, bytes of a row] uint8, or as numbers, [count, columns]."""

    def part(self, begin: int) -> Reading:
        """See `StoredTensor`."""
        return partial(self._read, begin // self.row_bytes)

    def _read(self, first: int, target: Tensor) -> None:
        rows = self.rows(first, len(target) // self.row_bytes).contiguous()
        target.copy_(rows.view(torch.uint8).view(-1))


class QuantizedCheckpoint(TensorStore):
    """A checkpoint in which weights stand for the tensors that they are made of."""

    def __init__(self, checkpoint: Checkpoint, weights: Mapping[str, QuantizedWeight]) -> None:
        """Take the weights' parts out of a checkpoint.

        Args:
            checkpoint: all tensors.
            weights: by the names that unquantised ones have.

        Raises:
            CheckpointError: a weight is there twice.
        """
        self._checkpoint, self._weights = checkpoint, weights
        parts = {part for weight in weights.values() for part in weight.parts}
        self._others = [name for name in checkpoint if name not in parts]
        twice = [name for name in self._others if name in weights]
        if twice:
            raise CheckpointError(f"the checkpoint holds {twice[0]} twice, quantised and not")

    def __iter__(self) -> Iterator[str]:
        yield from self._others
        yield from self._weights

    def __contains__(self, name: object) -> bool:
        return name in self._weights or name in self._others

    def shape(self, name: str) -> tuple[int, ...]:
        """See `TensorStore`."""
        weight = self._weights.get(name)
        return self._checkpoint.shape(name) if weight is None else weight.shape

    def problem(self, name: str) -> str:
        """See `TensorStore`."""
        return "" if name in self._weights else self._checkpoint.problem(name)

    def nbytes(self, name: str) -> int:
        """See `TensorStore`."""
        return self.stored(name).nbytes

    def tensor(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """See `TensorStore`."""
        weight = self._weights.get(name)
        if weight is None:
            return self._checkpoint.tensor(name, dtype)
        rows = weight.rows(0, weight.shape[0])
        encoding = weight.encoding
        return dequantize(rows, encoding, dtype) if isinstance(encoding, BlockFormat) else rows

    def stored(self, name: str) -> StoredTensor:
        """See `TensorStore`."""
        weight = self._weights.get(name)
        return self._checkpoint.stored(name) if weight is None else weight
