"""The header of a GGUF file: metadata, and where which tensor lies.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Nothing in a file is trusted:
every length is held against what is left of the file before anything is made of it, so a broken
file costs no more memory than it has bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from townsfolk.checkpoint.gguf.types import TYPE_NAMES, size_of
from townsfolk.checkpoint.store import CheckpointError

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_HEADER_BYTES = 512 * 1024 * 1024
_MOST_DIMENSIONS = 4
_MOST_NAME_BYTES = 1024
_MOST_ALIGNMENT = 1 << 20
_STRING, _ARRAY = 8, 9
# Numbers, by the format's number for the type; a truth value is a byte.
_NUMBERS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "<u1",
    10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip
_BOOL = 7
# The least bytes of a metadata entry and of a tensor's description.
_LEAST_ENTRY, _LEAST_TENSOR = 8 + 4 + 1, 8 + 4 + 8 + 4 + 8


class GgufError(CheckpointError):
    """The file is no GGUF file that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as the header describes it.

    Attributes:
        name: its name.
        shape: rows first, as PyTorch has it.
        type: the format's number for its type; see `types`.
        offset: of its first byte in the file.
        nbytes: how many there are.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    nbytes: int

    @property
    def type_name(self) -> str:
        """The type's name in ggml."""
        return TYPE_NAMES.get(self.type, f"type {self.type}")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        metadata: values by key: numbers, truth values, texts, and arrays of them; numbers in
            arrays are a numpy array that lies in the file.
        tensors: by name.
    """

    metadata: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]

    @classmethod
    def parse(cls, data: memoryview) -> Header:
        """Read the header of a whole file.

        Raises:
            GgufError: the file is broken, or of a version that is not read.
        """
        cursor = _Cursor(data)
        if bytes(data[:4]) != MAGIC:
            raise GgufError("it does not begin with GGUF: this is no GGUF file, or a part of one")
        cursor.skip(4)
        version = cursor.number("<u4")
        if version not in _VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
            why = "it is big-endian" if swapped else f"its version is {version}"
            known = " and ".join(map(str, _VERSIONS))
            raise GgufError(f"{why}; little-endian files of version {known} are read")
        tensor_count, entry_count = cursor.number("<u8"), cursor.number("<u8")
        cursor.expect(entry_count, _LEAST_ENTRY, "metadata entries")
        cursor.expect(tensor_count, _LEAST_TENSOR, "tensors")
        metadata: dict[str, Any] = {}
        for _ in range(entry_count):
            key = cursor.text("a metadata key")
            if key in metadata:
                raise GgufError(f"the metadata have {key!r} twice")
            metadata[key] = _value(cursor, key)
        described = [_describe(cursor) for _ in range(tensor_count)]
        begin = _aligned(cursor.position, _alignment(metadata))
        return cls(metadata, _placed(described, begin, len(data)))


class _Cursor:
    """A place in the file, which never leaves it."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.position = 0

    def skip(self, count: int) -> memoryview:
        """Pass so many bytes and return them."""
        end = self.position + count
        if end > len(self._data):
            raise GgufError(
                f"it ends within its header, after {len(self._data)} bytes: it is cut off"
            )
        if end > _MOST_HEADER_BYTES:
            raise GgufError(f"its header is longer than {_MOST_HEADER_BYTES} bytes: it is broken")
        part = self._data[self.position : end]
        self.position = end
        return part

    def expect(self, count: int, least: int, what: str) -> None:
        """Refuse a count of things that take at least so many bytes each and can't be there."""
        left = len(self._data) - self.position
        if count * least > left:
            raise GgufError(f"it claims {count} {what} in {left} bytes: it is cut off or broken")

    def number(self, kind: str) -> int:
        """Read a whole number."""
        return int(np.frombuffer(self.skip(int(kind[-1])), kind)[0])

    def text(self, what: str) -> str:
        """Read a text behind its length."""
        count = self.number("<u8")
        self.expect(count, 1, f"bytes of {what}")
        try:
            return str(self.skip(count), "utf-8")
        except UnicodeDecodeError as error:
            raise GgufError(f"{what} is not UTF-8 text: it is broken") from error


def _value(cursor: _Cursor, key: str) -> Any:
    kind = cursor.number("<u4")
    if kind == _STRING:
        return cursor.text(key)
    if kind == _ARRAY:
        return _array(cursor, key)
    if kind not in _NUMBERS:
        raise GgufError(f"{key} has a value of the unknown type {kind}")
    number = np.frombuffer(cursor.skip(np.dtype(_NUMBERS[kind]).itemsize), _NUMBERS[kind])[0]
    return bool(number) if kind == _BOOL else number.item()


def _array(cursor: _Cursor, key: str) -> list[str] | NDArray[Any]:
    kind, count = cursor.number("<u4"), cursor.number("<u8")
    if kind == _STRING:
        cursor.expect(count, 8, f"texts in {key}")
        return [cursor.text(key) for _ in range(count)]
    if kind not in _NUMBERS:
        raise GgufError(f"{key} is an array of the type {kind}, which is not read")
    item = np.dtype(_NUMBERS[kind])
    cursor.expect(count, item.itemsize, f"numbers in {key}")
    numbers = np.frombuffer(cursor.skip(count * item.itemsize), item)
    return numbers.astype(bool) if kind == _BOOL else numbers


def _describe(cursor: _Cursor) -> TensorInfo:
    """Read a tensor's description; its offset counts from where the data begin."""
    name = cursor.text("a tensor's name")
    if not 1 <= len(name) <= _MOST_NAME_BYTES:
        raise GgufError(f"a tensor's name has {len(name)} characters")
    dimensions = cursor.number("<u4")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise GgufError(f"{name} has {dimensions} dimensions; 1 to {_MOST_DIMENSIONS} are possible")
    shape = tuple(cursor.number("<u8") for _ in range(dimensions))[::-1]
    kind, offset = cursor.number("<u4"), cursor.number("<u8")
    return TensorInfo(name, shape, kind, offset, 0)


def _placed(described: Sequence[TensorInfo], begin: int, file_bytes: int) -> dict[str, TensorInfo]:
    """Return the tensors by name, with their places in the file."""
    tensors: dict[str, TensorInfo] = {}
    for info in described:
        name, shape = info.name, info.shape
        if name in tensors:
            raise GgufError(f"the tensor {name} is described twice")
        if not all(shape):
            raise GgufError(f"the tensor {name} is empty: its shape is {list(shape)}")
        size = size_of(info.type)
        nbytes = 0
        if size is not None:
            if shape[-1] % size.values:
                raise GgufError(
                    f"{name} has rows of {shape[-1]} values; {info.type_name} has "
                    f"{size.values} in a block"
                )
            nbytes = math.prod(shape) // size.values * size.nbytes
        if begin + info.offset + nbytes > file_bytes:
            raise GgufError(
                f"{name} ends at byte {begin + info.offset + nbytes}, but the file has "
                f"{file_bytes}: it is cut off or broken"
            )
        tensors[name] = TensorInfo(name, shape, info.type, begin + info.offset, nbytes)
    return tensors


def _alignment(metadata: Mapping[str, Any]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= _MOST_ALIGNMENT:
        raise GgufError(f"general.alignment is {alignment!r}")
    return alignment


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
