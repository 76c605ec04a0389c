"""How kernels are launched: tile sizes, and programmatic dependent launch.

With programmatic dependent launch (CUDA programming guide, section 4.5) a kernel starts while the
one before still runs, which hides launch latency and keeps the memory busy between two products. It
starts when each program of the one before has called `gdc_launch_dependents` or ended. `gdc_wait`
returns when all programs of the one before have ended and what they wrote can be read.

The rule that makes a chain of such kernels safe: *before its `gdc_wait` a program reads only what
no kernel of the step writes (weights, tables, positions, keys and values of earlier steps) and
writes nothing, and in each launch at least one program waits, whatever its inputs say.* Then a
kernel that has ended implies that all before it have ended, so behind its wait a program may read
what any of them wrote, and overwrite what any of them read. Without the second half a kernel whose
programs all have nothing to do ends before the one ahead of it does, and the next one shares
memory with both. When `gdc_launch_dependents` is called changes speed only, with one exception.

The exception: a product in a loop whose rows have adapters reads its `x` before its wait, although
a kernel of the step wrote that (`LATE` in `decode/projection.py` and `decode/mlp.py`: it multiplies
while `shrink` before it runs, and waits before it adds what `shrink` wrote). That is safe because
`shrink` writes only its own memory, and each of its programs calls `gdc_launch_dependents` behind
its own `gdc_wait`: the product starts when all kernels before `shrink` have ended, so it can read
`x`. Before its wait it writes nothing, either. So in `shrink` the order of these two calls is part
of the rule, and nothing may be launched between `shrink` and its product.

Whether a kernel is launched so must not change its sums: tiles, warps and what is loaded ahead
follow from shapes alone, so results are the same bits either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from townsfolk_kernels.gpu.card import card_of


@dataclass(frozen=True, slots=True)
class Tiles:
    """How one product is cut into programs.

    Attributes:
        rows: of the weight, for one program.
        depth: of the reduction, for one iteration; 0 for a program's whole share of it at once,
            which is loaded before the wait for the kernel before.
        warps: of one program.
        stages: iterations whose loads are in flight; for one row of activations and a packed
            weight, in how many blocks of rows, one by one, a program takes its tile.
        splits: the most programs that share one tile's reduction.
        matrix: whether tensor cores multiply where `depth` is 0, each warp a slice of the
            reduction; where it is not, they always do.
    """

    rows: int
    depth: int
    warps: int
    stages: int = 3
    splits: int = 1
    matrix: bool = False

    @property
    def uses_tensor_cores(self) -> bool:
        """Whether the product is one of matrices."""
        return self.depth > 0 or self.matrix

    def programs(self, rows: int) -> int:
        """Return how many there are for a weight of so many rows (for `gate_up`: of the gate)."""
        return -(-rows // self.rows) * self.splits

    def share(self, in_features: int) -> int:
        """Return how many columns of the weight one program multiplies, some beyond the end."""
        step = self.depth or 16 * (self.warps if self.matrix else 1)
        return -(-in_features // (self.splits * step)) * step

    def splits_of(self, in_features: int) -> int:
        """Return how many programs share a tile's reduction: none lies beyond the end."""
        return -(-in_features // self.share(in_features))

    def in_full_precision(self) -> Tiles:
        """Return tiles for fp32, which takes twice the memory of what these were made for."""
        if self.depth == 0 and not self.matrix:
            return self
        return replace(self, depth=min(self.depth or 32, 32), stages=2, matrix=False)


@dataclass(frozen=True, slots=True)
class SplitWorkspace:
    """Where the programs that share a tile's reduction meet.

    Attributes:
        parts: fp32, at least tiles * splits * rows * (batch as a tile) elements.
        counters: [tiles], int32, zeros between kernels.
    """

    parts: Tensor
    counters: Tensor

    @classmethod
    def allocate(cls, elements: int, tiles: int, device: torch.device) -> SplitWorkspace:
        """Take memory for so many elements of partial sums, and tiles."""
        return cls(
            torch.empty(max(elements, 1), device=device),
            torch.zeros(tiles, dtype=torch.int32, device=device),
        )


@contextmanager
def beside(stream: torch.cuda.Stream | None) -> Iterator[None]:
    """Launch kernels on a stream that begins where the current one is now, within this context.

    None stands for the current stream. The current one has to wait for the other afterwards.
    """
    if stream is None:
        yield
        return
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield


def options(warps: int, stages: int = 1, dependent: bool = False) -> dict[str, Any]:
    """Launch options of a kernel."""
    chosen: dict[str, Any] = {"num_warps": warps, "num_stages": stages}
    if dependent:
        chosen["launch_pdl"] = True
    return chosen


def product_options(x: Tensor, tiles: Tiles, dependent: bool) -> dict[str, Any]:
    """Return constants and launch options of a kernel that multiplies x [batch, in_features]."""
    batch, in_features = x.shape
    length = tiles.share(in_features)
    return {
        "K": in_features,
        "LENGTH": length,
        "WIDTH": power_of_two(length),
        "ROWS": tiles.rows,
        "DEPTH": tiles.depth,
        "SLICES": tiles.warps if tiles.matrix else 0,
        "BATCH": batch_tile(batch, tiles),
        "STAGES": tiles.stages,
        "SPLITS": tiles.splits_of(in_features),
        "PRECISION": precision(x),
        "DEPENDENT": dependent,
        "SIGNALS": card_of(x.device).has_dependent_launch,
        **options(tiles.warps, tiles.stages, dependent),
    }


def power_of_two(value: int) -> int:
    """Return the smallest power of two that is at least `value`."""
    return 1 << max(value - 1, 0).bit_length()


def batch_tile(batch: int, tiles: Tiles) -> int:
    """Return the rows of activations in one tile; tensor cores take 8 at least."""
    return max(power_of_two(batch), 8 if tiles.uses_tensor_cores else 1)


def precision(x: Tensor) -> str:
    """Return how tensor cores take the operands: fp32 is not rounded to tf32."""
    return "ieee" if x.dtype == torch.float32 else "tf32"
