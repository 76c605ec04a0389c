"""What a weight becomes, by what was asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.quantize import quantize

from townsfolk.checkpoint.quantized import own
from townsfolk.models.weights import TensorSpec

_LARGEST_FP8 = 448.0  # of E4M3


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor of the new checkpoint.

    Attributes:
        name: its name.
        shape: its shape.
        dtype: of its values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype


class Target(ABC):
    """A way to store weights in fewer bits."""

    @abstractmethod
    def reason(self, spec: TensorSpec) -> str:
        """Why a matrix stays as it is; empty where it doesn't."""

    @abstractmethod
    def pieces(self, spec: TensorSpec) -> list[Piece]:
        """Return the tensors that a matrix becomes."""

    @abstractmethod
    def encode(self, spec: TensorSpec, values: Tensor, importance: Tensor | None) -> list[Tensor]:
        """Return the contents of `pieces`, of values [rows, columns]."""

    @abstractmethod
    def description(self, quantized: Mapping[str, TensorSpec]) -> dict[str, Any]:
        """Return the `quantization_config` of a checkpoint with these matrices."""


class BlockTarget(Target):
    """Blocks of integers with scales, in Townsfolk's own layout."""

    def __init__(self, formats: tuple[BlockFormat, ...], tables: frozenset[str]) -> None:
        """Store in blocks.

        Args:
            formats: the first whose blocks fit a row is taken.
            tables: names of embedding and head, which are in 8 bits in any case.
        """
        self._formats, self._tables = formats, tables

    def _format(self, spec: TensorSpec) -> BlockFormat | None:
        formats = (BlockFormat.Q8_0,) if spec.name in self._tables else self._formats
        fitting = (each for each in formats if spec.shape[1] % each.layout.values == 0)
        return next(fitting, None)

    def reason(self, spec: TensorSpec) -> str:
        """See `Target`."""
        if self._format(spec) is None:
            return f"its rows of {spec.shape[1]} values are no whole blocks of 32"
        return ""

    def pieces(self, spec: TensorSpec) -> list[Piece]:
        """See `Target`."""
        block_format = self._format(spec)
        assert block_format is not None
        row_bytes = block_format.row_bytes(spec.shape[1])
        return [Piece(spec.name, (spec.shape[0], row_bytes), torch.uint8)]

    def encode(self, spec: TensorSpec, values: Tensor, importance: Tensor | None) -> list[Tensor]:
        """See `Target`."""
        block_format = self._format(spec)
        assert block_format is not None
        return [quantize(values, block_format, importance)]

    def description(self, quantized: Mapping[str, TensorSpec]) -> dict[str, Any]:
        """See `Target`."""
        formats = {name: self._format(spec) for name, spec in quantized.items()}
        return own.description({name: each for name, each in formats.items() if each is not None})


class Float8Target(Target):
    """FP8 (E4M3) with a scale for each row, as compressed-tensors has it."""

    def __init__(self, tables: frozenset[str]) -> None:
        """Store all but `tables`, the names of embedding and head."""
        self._tables = tables

    def reason(self, spec: TensorSpec) -> str:
        """See `Target`."""
        return "the layout has no FP8 tables" if spec.name in self._tables else ""

    def pieces(self, spec: TensorSpec) -> list[Piece]:
        """See `Target`."""
        rows, columns = spec.shape
        return [
            Piece(spec.name, (rows, columns), torch.float8_e4m3fn),
            Piece(f"{spec.name}_scale", (rows, 1), torch.float32),
        ]

    def encode(self, spec: TensorSpec, values: Tensor, importance: Tensor | None) -> list[Tensor]:
        """See `Target`."""
        wide = values.float()
        scale = (wide.abs().amax(1, keepdim=True) / _LARGEST_FP8).clamp_min(1e-12)
        return [(wide / scale).to(torch.float8_e4m3fn), scale]

    def description(self, quantized: Mapping[str, TensorSpec]) -> dict[str, Any]:
        """See `Target`."""
        weights = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True}
        group = {"targets": ["Linear"], "weights": weights, "input_activations": None}
        return {
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "quantization_status": "compressed",
            "config_groups": {"group_0": group},
            "ignore": sorted(name.removesuffix(".weight") for name in self._tables),
        }


TARGETS = ("int8", "int4", "fp8")


def make_target(name: str, tables: frozenset[str]) -> Target:
    """Return the target of a name in `TARGETS`; `tables` are the names of embedding and head."""
    if name == "fp8":
        return Float8Target(tables)
    small = (BlockFormat.Q4_K, BlockFormat.Q4_1) if name == "int4" else (BlockFormat.Q8_0,)
    return BlockTarget(small, tables)


def split_rows(rows: int, columns: int, most: int = 1 << 26) -> Iterator[tuple[int, int]]:
    """First row and count of parts of a matrix of at most so many values."""
    step = max(most // columns, 1)
    for first in range(0, rows, step):
        yield first, min(step, rows - first)
