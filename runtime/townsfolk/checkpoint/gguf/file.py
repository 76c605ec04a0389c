"""The tensors and metadata of a GGUF file, which may come in several parts."""

from __future__ import annotations

import math
import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import dequantize

from townsfolk.checkpoint.gguf.header import GgufError, Header, TensorInfo
from townsfolk.checkpoint.gguf.types import BLOCK_TYPES, DENSE_TYPES, readable
from townsfolk.checkpoint.store import FileTensor, TensorStore, listed

# As llama.cpp names the parts of a file.
_PART = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf")


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapped file, and what its header says."""

    path: Path
    data: mmap.mmap
    header: Header

    @classmethod
    def open(cls, path: Path) -> _Part:
        """Map a file and read its header. Raises GgufError naming the file."""
        try:
            with path.open("rb") as file:
                # Private: PyTorch wants memory that could be written to; nobody writes.
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            return cls(path, data, Header.parse(memoryview(data)))
        except ValueError as error:  # GgufError, or an empty file, which can't be mapped
            raise GgufError(f"{path} can't be read: {error}") from error
        except OSError as error:
            raise GgufError(f"{path} can't be read: {error.strerror or error}") from error


class GgufCheckpoint(TensorStore):
    """Reads tensors by name; quantised ones are brought into values when they are asked for.

    Attributes:
        metadata: values by key.
    """

    described_by = "metadata"

    def __init__(self, path: Path) -> None:
        """Open a file; of a model in parts, any of them.

        Raises:
            GgufError: a file is missing or broken, or the parts don't belong together.
        """
        parts = [_Part.open(each) for each in _parts(path)]
        self.metadata: Mapping[str, Any] = parts[0].header.metadata
        self._parts: dict[str, _Part] = {}
        for number, part in enumerate(parts):
            _check_place(part, number, len(parts))
            for name in part.header.tensors:
                if name in self._parts:
                    raise GgufError(f"{part.path} holds {name} again; another part has it too")
                self._parts[name] = part

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def info(self, name: str) -> TensorInfo:
        """Return what the header says of a tensor."""
        return self._parts[name].header.tensors[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """See `TensorStore`."""
        return self.info(name).shape

    def problem(self, name: str) -> str:
        """See `TensorStore`."""
        info = self.info(name)
        if info.type in DENSE_TYPES or info.type in BLOCK_TYPES:
            return ""
        return f"is {info.type_name}, only {readable()} are read"

    def nbytes(self, name: str) -> int:
        """See `TensorStore`."""
        return self.info(name).nbytes

    def tensor(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """See `TensorStore`."""
        info, data = self.info(name), self._parts[name].data
        if info.type in DENSE_TYPES:
            stored, count = DENSE_TYPES[info.type], math.prod(info.shape)
            numbers = torch.frombuffer(data, dtype=stored, count=count, offset=info.offset)
            return numbers.view(info.shape)
        raw = torch.frombuffer(data, dtype=torch.uint8, count=info.nbytes, offset=info.offset)
        rows = math.prod(info.shape[:-1])
        return dequantize(raw.view(rows, -1), BLOCK_TYPES[info.type], dtype).view(info.shape)

    def stored(self, name: str) -> FileTensor:
        """See `TensorStore`."""
        info = self.info(name)
        encoding = DENSE_TYPES.get(info.type) or BLOCK_TYPES[info.type]
        return FileTensor(self._parts[name].path, info.offset, info.nbytes, encoding)


def _parts(path: Path) -> list[Path]:
    """Return all files of a model, of which `path` is one."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    stem, count = match[1], int(match[3])
    # The name is the user's; how many files it stands for must be there to be counted.
    there = {each.name for each in path.parent.iterdir()} if path.parent.is_dir() else set()
    names = [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    missing = [name for name in names if name not in there]
    if missing or not names:
        raise GgufError(
            f"{path} is a part of a model whose other parts are not there: {listed(missing)}"
        )
    return [path.parent / name for name in names]


def _check_place(part: _Part, number: int, count: int) -> None:
    """Hold what a file says of its place among the parts against its name."""
    metadata = part.header.metadata
    said = (metadata.get("split.no", 0), metadata.get("split.count", 0) or 1)
    if said == (number, count):
        return
    if count == 1:
        raise GgufError(
            f"{part.path} says that it is part {said[0]} (from 0) of {said[1]}; parts must keep "
            f"their names, such as {part.path.stem}-00001-of-00003.gguf"
        )
    raise GgufError(f"{part.path} says that it is part {said[0]} (from 0) of {said[1]}")
