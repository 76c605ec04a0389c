"""Tensors by name, whatever the format of the files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat

_NAMES_SHOWN = 8

Encoding = torch.dtype | BlockFormat
"""How a tensor's values are stored: as numbers, or its rows in blocks."""


class CheckpointError(ValueError):
    """The weights do not fit the model, and the message names them."""


Reading = Callable[[Tensor], None]
"""Fills bytes [n] uint8 on the host, in any thread."""


class StoredTensor(Protocol):
    """A tensor's bytes, to be read in parts.

    Attributes:
        nbytes: how many there are.
        encoding: what they are.
    """

    @property
    def nbytes(self) -> int: ...  # noqa: D102

    @property
    def encoding(self) -> Encoding: ...  # noqa: D102

    def part(self, begin: int) -> Reading:
        """Return what reads bytes from `begin` on, which must be that of a row."""


@dataclass(frozen=True, slots=True)
class FileTensor:
    """A tensor whose bytes lie in a file.

    Attributes:
        path: the file.
        offset: of its first byte.
        nbytes: how many there are.
        encoding: what they are.
    """

    path: Path
    offset: int
    nbytes: int
    encoding: Encoding

    def part(self, begin: int) -> Reading:
        """See `StoredTensor`. Reading raises CheckpointError where the file ends too early."""
        return partial(_read, self.path, self.offset + begin)


def _read(path: Path, offset: int, target: Tensor) -> None:
    view = target.numpy().data
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while view:
            count = file.readinto(view)
            if not count:
                raise CheckpointError(f"{path} is shorter than its header says")
            view = view[count:]


class TensorStore(ABC):
    """The tensors of a model's files.

    Attributes:
        described_by: where the shapes that `check` compares with come from, for messages.
    """

    described_by = "config.json"

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Return the names of all tensors."""

    @abstractmethod
    def __contains__(self, name: object) -> bool:
        """Return whether there is a tensor of this name."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""

    @abstractmethod
    def problem(self, name: str) -> str:
        """Why the type of a tensor can't be read; empty where it can."""

    @abstractmethod
    def nbytes(self, name: str) -> int:
        """Return bytes that a tensor takes in its file; see `check` first."""

    @abstractmethod
    def tensor(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the tensor of this name: a view of the mapped file, or values computed from it.

        Args:
            name: the name.
            dtype: of values that are computed; what is stored as numbers comes as it is.
        """

    @abstractmethod
    def stored(self, name: str) -> StoredTensor:
        """Return the tensor of this name, to read it without mapping it; see `check` first.

        Raises:
            OSError: the file can't be read any more.
        """

    def check(self, expected: Mapping[str, tuple[int, ...]], ignored: Sequence[str] = ()) -> None:
        """Compare with what a model needs.

        Args:
            expected: names and shapes.
            ignored: beginnings and ends of names that may be there without being needed.

        Raises:
            CheckpointError: tensors are missing, unexpected, or of the wrong shape or dtype.
        """
        problems = []
        missing = [name for name in expected if name not in self]
        if missing:
            problems.append(f"missing: {listed(missing)}")
        unexpected = [
            name
            for name in self
            if name not in expected
            and not name.startswith(tuple(ignored))
            and not name.endswith(tuple(ignored))
        ]
        if unexpected:
            problems.append(f"unexpected: {listed(unexpected)}")
        misshapen = []
        for name, shape in expected.items():
            if name not in self:
                continue
            found, problem = self.shape(name), self.problem(name)
            if found != shape:
                misshapen.append(f"{name} is {list(found)}, the configuration says {list(shape)}")
            elif problem:
                misshapen.append(f"{name} {problem}")
        if misshapen:
            problems.append(f"wrong: {listed(misshapen)}")
        if problems:
            raise CheckpointError(
                f"the checkpoint does not fit its {self.described_by}; " + "; ".join(problems)
            )


def listed(names: Iterable[str]) -> str:
    """Return the first few of some names, and how many more there are, for messages."""
    every = list(names)
    rest = f" and {len(every) - _NAMES_SHOWN} more" if len(every) > _NAMES_SHOWN else ""
    return ", ".join(every[:_NAMES_SHOWN]) + rest
