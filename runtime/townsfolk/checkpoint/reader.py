"""Tensors of a model directory, memory-mapped from one or several safetensors files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from townsfolk.checkpoint.store import CheckpointError, FileTensor, TensorStore, listed

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


class Checkpoint(TensorStore):
    """Reads tensors by name. Files are memory-mapped: a tensor costs no memory of its own."""

    def __init__(self, directory: Path) -> None:
        """Open the files of `directory`.

        Raises:
            CheckpointError: there is no safetensors file, one of the index is missing, one is
                damaged, or two hold the same tensor.
        """
        # safe_open carries no types; name -> the open file that holds the tensor.
        self._files: dict[str, Any] = {}
        self._paths: dict[str, Path] = {}
        self._headers: dict[Path, tuple[int, dict[str, Any]]] = {}  # where data begin; the header
        for path in _weight_files(directory):
            try:
                file: Any = safe_open(path, framework="pt")
            except (SafetensorError, OSError) as error:
                raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from (
                    error
                )
            for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                if name in self._files:
                    raise CheckpointError(f"{path} holds {name} again; another file has it too")
                self._files[name] = file
                self._paths[name] = path

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def shape(self, name: str) -> tuple[int, ...]:
        """See `TensorStore`."""
        return tuple(self._files[name].get_slice(name).get_shape())

    def problem(self, name: str) -> str:
        """See `TensorStore`."""
        dtype = self.kind(name)
        return "" if dtype in _DTYPES else f"is {dtype}, only {', '.join(_DTYPES)} are read"

    def kind(self, name: str) -> str:
        """Return what the file calls the dtype of a tensor."""
        return str(self._files[name].get_slice(name).get_dtype())

    def nbytes(self, name: str) -> int:
        """See `TensorStore`."""
        return self.stored(name).nbytes

    def tensor(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """See `TensorStore`: always a view of the mapped file."""
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor

    def stored(self, name: str) -> FileTensor:
        """See `TensorStore`."""
        path = self._paths[name]
        if path not in self._headers:
            self._headers[path] = _header(path)
        data, header = self._headers[path]
        begin, end = header[name]["data_offsets"]
        encoding = _DTYPES.get(header[name]["dtype"], torch.uint8)  # as bytes, for those who know
        return FileTensor(path, data + begin, end - begin, encoding)


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return where a safetensors file's data begin, and its header, which `safe_open` has checked.

    The format (https://huggingface.co/docs/safetensors): 8 bytes with the header's length,
    little-endian; the header, a JSON object; the data.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return 8 + length, header


def _weight_files(directory: Path) -> list[Path]:
    index = directory / "model.safetensors.index.json"
    if not index.exists():
        files = sorted(directory.glob("*.safetensors"))
        if not files:
            raise CheckpointError(
                f"{directory} holds no *.safetensors; other formats (pickled *.bin) are not read"
            )
        single = directory / "model.safetensors"
        return [single] if single in files else files
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index} cannot be read: {error!r}") from error
    # The index comes with the download: it must not lead out of the directory.
    files = [directory / name for name in names if Path(name).name == name]
    absent = [path.name for path in files if not path.exists()]
    if absent or len(files) < len(names):
        raise CheckpointError(f"{index} names files that are not there: {listed(absent or names)}")
    return files
