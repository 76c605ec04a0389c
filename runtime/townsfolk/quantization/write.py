"""A quantised checkpoint, written one tensor after the other."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from townsfolk.checkpoint import TensorStore
from townsfolk.models.names import Architecture
from townsfolk.models.weights import TensorSpec, expected_tensors
from townsfolk.quantization.target import Piece, Target, make_target, split_rows

_KINDS = {
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.float32: "F32",
    torch.uint8: "U8",
    torch.float8_e4m3fn: "F8_E4M3",
}
# What a directory holds beside weights and `config.json`.
_COPIED = ("*.json", "*.jinja", "tokenizer.model", "LICENSE*", "README*")
_OF_WEIGHTS = ("config.json", "model.safetensors.index.json")


@dataclass
class QuantizationReport:
    """What became of a checkpoint.

    Attributes:
        before: bytes of its tensors.
        after: bytes of those that were written.
        kept: why matrices were not quantised, by their names.
    """

    before: int = 0
    after: int = 0
    kept: dict[str, str] = field(default_factory=dict)


def quantize_model(
    source: Path,
    architecture: Architecture,
    checkpoint: TensorStore,
    target_name: str,
    directory: Path,
    importance: Mapping[str, Tensor],
    device: torch.device,
    progress: Callable[[str], None],
) -> QuantizationReport:
    """Write a quantised copy of a model.

    Args:
        source: its directory.
        architecture: with the names that the checkpoint has.
        checkpoint: its tensors.
        target_name: one of `TARGETS`.
        directory: where to; it must be empty or missing.
        importance: of columns, by names of tensors; of those that are not in it all count alike.
        device: where the work is done.
        progress: called with the name of each tensor before it is written.
    """
    names = architecture.names
    tables = frozenset({f"{names.root}{names.embedding}.weight", f"{names.head}.weight"})
    target, report = make_target(target_name, tables), QuantizationReport()
    specs = expected_tensors(architecture)
    quantized: dict[str, TensorSpec] = {}
    for name, spec in specs.items():
        if len(spec.shape) == 2:
            reason = _reason(spec, architecture, target)
            if reason:
                report.kept[name] = reason
            else:
                quantized[name] = spec
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "model.safetensors").open("wb") as file:
        pieces = {
            name: _pieces(checkpoint, spec, target, quantized) for name, spec in specs.items()
        }
        report.after = _write_header(file, [piece for each in pieces.values() for piece in each])
        for name, spec in specs.items():
            progress(name)
            report.before += checkpoint.nbytes(name)
            stored = checkpoint.tensor(name)
            if name in quantized:
                for part in _encoded(target, spec, stored, importance.get(name), device):
                    _write(file, part)
            else:
                _write(file, stored)
    _copy_others(source, directory)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = target.description(quantized)
    (directory / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    return report


def _reason(spec: TensorSpec, architecture: Architecture, target: Target) -> str:
    names = architecture.names
    if spec.transposed:
        return "it is stored transposed"
    if names.positions and spec.name == f"{names.root}{names.positions}.weight":
        return "it is the table of positions"
    return target.reason(spec)


def _pieces(
    checkpoint: TensorStore, spec: TensorSpec, target: Target, quantized: Mapping[str, TensorSpec]
) -> list[Piece]:
    if spec.name in quantized:
        return target.pieces(spec)
    encoding = checkpoint.stored(spec.name).encoding
    assert isinstance(encoding, torch.dtype)
    return [Piece(spec.name, spec.shape, encoding)]


def _encoded(
    target: Target,
    spec: TensorSpec,
    stored: Tensor,
    importance: Tensor | None,
    device: torch.device,
) -> list[Tensor]:
    parts = [
        target.encode(spec, stored[first : first + count].to(device), importance)
        for first, count in split_rows(*spec.shape)
    ]
    return [torch.cat([piece.cpu() for piece in pieces]) for pieces in zip(*parts, strict=True)]


def _write_header(file: BinaryIO, pieces: list[Piece]) -> int:
    """Write the header of safetensors; return the bytes of all tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for piece in pieces:
        size = torch.Size(piece.shape).numel() * piece.dtype.itemsize
        header[piece.name] = {
            "dtype": _KINDS[piece.dtype],
            "shape": piece.shape,
            "data_offsets": [offset, offset + size],
        }
        offset += size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    file.write(struct.pack("<Q", len(encoded)) + encoded)
    return offset


def _write(file: BinaryIO, tensor: Tensor) -> None:
    tensor.contiguous().view(-1).view(torch.uint8).numpy().tofile(file)


def _copy_others(source: Path, directory: Path) -> None:
    for pattern in _COPIED:
        for path in source.glob(pattern):
            if path.name not in _OF_WEIGHTS:
                shutil.copyfile(path, directory / path.name)
