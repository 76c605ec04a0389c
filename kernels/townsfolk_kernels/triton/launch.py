"""How kernels are launched: tile sizes, and programmatic dependent launch.

With programmatic dependent launch (CUDA programming guide, section 4.5) a kernel starts while the
one before still runs. Up to `gdc_wait` it may read only what no kernel of the same chain writes:
weights, tables, keys and values of earlier steps. That hides launch latency and keeps the memory
busy between two products.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tile sizes of one kernel.

    Attributes:
        rows: of the weight, for one program.
        depth: of the reduction, for one iteration; 0 for all of it at once, without tensor cores,
            which is what reads fastest for one row of activations.
        warps: of one program.
        stages: iterations whose loads are in flight.
        splits: programs that share one tile's reduction.
    """

    rows: int
    depth: int
    warps: int
    stages: int = 3
    splits: int = 1

    @property
    def uses_tensor_cores(self) -> bool:
        """Whether the product is one of matrices."""
        return self.depth > 0

    def in_full_precision(self) -> Tiles:
        """Tiles for fp32, which takes twice the memory of what these were made for."""
        return replace(self, depth=min(self.depth, 32), stages=2)


@cache
def has_dependent_launch(device: torch.device) -> bool:
    """Whether the device has programmatic dependent launch: compute capability 9 and up."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0)


def options(warps: int, stages: int = 1, dependent: bool = False) -> dict[str, Any]:
    """Launch options of a kernel."""
    chosen: dict[str, Any] = {"num_warps": warps, "num_stages": stages}
    if dependent:
        chosen["launch_pdl"] = True
    return chosen


def power_of_two(value: int) -> int:
    """The smallest power of two that is at least `value`."""
    return 1 << max(value - 1, 0).bit_length()


def batch_tile(batch: int, tiles: Tiles) -> int:
    """Rows of activations in one tile; tensor cores take 16 at least."""
    return max(power_of_two(batch), 16 if tiles.uses_tensor_cores else 1)


def precision(x: Tensor) -> str:
    """How tensor cores take the operands: fp32 is not rounded to tf32."""
    return "ieee" if x.dtype == torch.float32 else "tf32"
