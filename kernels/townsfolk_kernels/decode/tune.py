"""Measures tiles of products on this GPU, for `townsfolk_kernels.gpu.tuning` to choose from.

A candidate runs over several weights in a row, more than the L2 cache holds, as a CUDA graph: as it
runs in a decode step. Kernels are compiled beforehand by several processes, which takes most of the
time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from townsfolk_kernels.decode.mlp import gate_up
from townsfolk_kernels.decode.operands import Addition, LaunchConfig, RowNorm
from townsfolk_kernels.decode.projection import project, project_and_add
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import (
    SplitWorkspace,
    Tiles,
    power_of_two,
)
from townsfolk_kernels.gpu.tuning import (
    choose,
    file_of,
    guess,
    key,
    shared_memory,
    split_workspace,
    starts_early,
)
from townsfolk_kernels.ops.activation import Activation

BATCHES = (1, 2, 4, 8, 16, 32, 64)
_TRIED = 20  # candidates of each product
_SHARED_MEMORY = 220 * 1024  # of one program, bytes
_BYTES = 400 * 2**20  # of weights in a row, several times the L2 cache
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Product:
    """A product to tune: op and shape as in `tuning.choose`."""

    op: str
    out_features: int
    in_features: int
    batch: int

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return key(self.op, self.out_features, self.in_features, self.batch)


def candidates(product: Product) -> list[Tiles]:
    """Return tiles worth trying, the guess first."""
    batch = product.batch
    # At 2 rows those in registers win alone and lose in a step: 4.69 ms, not 4.32 (8B, H200).
    found = _in_registers(product) if batch == 1 else _in_loops(product)
    if 1 < batch <= 16:
        found += _by_slices(product)
    card = card_of(torch.device("cuda"))
    first = guess(product.op, product.out_features, product.in_features, batch, card)
    found = [tiles for tiles in found if tiles != first]
    random.Random(0).shuffle(found)
    return [first, *found][:_TRIED]


def _in_registers(product: Product) -> list[Tiles]:
    width = power_of_two(product.in_features)
    return [
        Tiles(elements // width, 0, warps)
        for elements in (2048, 4096, 8192, 16384, 32768)
        for warps in (1, 2, 4, 8, 16)
        if elements >= (2 if product.op == "qkv" else 1) * width
        and 16 <= elements // (32 * warps) <= 128
    ]


def _by_slices(product: Product) -> list[Tiles]:
    found = []
    for rows in (8, 16, 32):
        for warps in (4, 8):
            for width in (128, 256, 512):
                splits = max(product.in_features // (warps * width), 1)
                tiles = Tiles(rows, 0, warps, splits=splits, matrix=True)
                if _is_sensible(product, tiles, most=400) and tiles not in found:
                    found.append(tiles)
    return found


def _in_loops(product: Product) -> list[Tiles]:
    return [
        tiles
        for rows in (16, 32, 64, 128)
        for depth in (64, 128, 256)
        for warps in (2, 4, 8)
        for stages in (3, 4, 6)
        for splits in (1, 2, 4, 8)
        if _is_sensible(product, tiles := Tiles(rows, depth, warps, stages, splits), most=600)
        and 24 * 2**10 <= _in_flight(product, tiles) <= 160 * 2**10
        and rows <= 32 * warps <= 4 * rows
        and product.in_features >= depth * splits * 2
    ]


def _in_flight(product: Product, tiles: Tiles) -> int:
    """Return the bytes of the weight that one program has asked for at once."""
    halves = 2 if product.op == "gate_up" else 1
    return halves * tiles.rows * tiles.depth * 2 * (tiles.stages - 1)


def _is_sensible(product: Product, tiles: Tiles, most: int) -> bool:
    """Return whether there are enough programs, not too many parts, and memory for them."""
    halves = 2 if product.op == "gate_up" else 1
    programs = -(-product.out_features // (halves * tiles.rows)) * tiles.splits
    memory = shared_memory(product.op, product.in_features, product.batch, tiles)
    is_split = tiles.splits > 1 or tiles.matrix
    return programs >= 96 and (not is_split or programs <= most) and memory <= _SHARED_MEMORY


class _Trial:
    """A product with all its tensors, over several weights."""

    def __init__(self, product: Product, count: int, device: torch.device) -> None:
        shape = (product.out_features, product.in_features)
        self.product, self.device = product, device
        self.weights = [
            torch.empty(shape, dtype=torch.bfloat16, device=device).normal_(0, 0.02)
            for _ in range(count)
        ]
        batch = product.batch

        def space(*size: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
            return torch.zeros(size, dtype=dtype, device=device)

        self.x = space(batch, product.in_features).normal_()
        self.squares = space(128, batch, dtype=torch.float32) + 1.0
        out = product.out_features // (2 if product.op == "gate_up" else 1)
        is_wide = product.op in ("qkv", "head")
        self.out = space(batch, out, dtype=torch.float32 if is_wide else self.x.dtype)
        self.scaled, self.norm = torch.zeros_like(self.out), space(out) + 1.0
        self.parts = space(out * batch, dtype=torch.float32)

    def run(self, tiles: Tiles) -> None:
        """Multiply with every weight, one after the other."""
        product = self.product
        op, rows, batch = product.op, product.out_features, product.batch
        dependent = starts_early(op, rows, batch, tiles, self.device)
        workspace = SplitWorkspace.allocate(*split_workspace(op, rows, batch, tiles), self.device)
        launch = LaunchConfig(tiles, workspace, dependent)
        norm = RowNorm(self.squares, product.in_features, 1e-5)
        for weight in self.weights:
            if product.op == "project":
                count = -(-product.out_features // tiles.rows)
                squares = self.parts[: count * product.batch].view(count, product.batch)
                addition = Addition(self.out, 1.0, self.norm, self.scaled, squares)
                project_and_add(self.x, weight, None, addition, launch)
            elif product.op == "gate_up":
                gate_up(self.x, norm, weight, None, Activation.SILU, self.out, launch)
            else:
                left = norm if product.op == "head" else None
                project(self.x, weight, self.out, launch, left)

    def seconds(self, tiles: Tiles) -> float:
        """Return the median time for one weight."""
        self.run(tiles)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.run(tiles)
        times = []
        for _ in range(_REPEATS):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1000)
        return float(median(times[1:])) / len(self.weights)


def _compile(job: tuple[Product, Tiles]) -> bool:
    """Compile a candidate into Triton's cache; False if it does not fit this GPU."""
    product, tiles = job
    try:
        _Trial(product, 1, torch.device("cuda")).run(tiles)
        torch.cuda.synchronize()
    except Exception:
        return False
    return True


def tune(
    products: Sequence[Product], processes: int, note: Callable[[str], None]
) -> dict[str, Tiles]:
    """Return the fastest tiles of each product, by `Product.key`.

    Args:
        products: what to measure.
        processes: that compile at once.
        note: is told each result.
    """
    device = torch.device("cuda")
    tried = {}
    for product in products:
        shape = product.out_features, product.in_features
        now = choose(product.op, *shape, product.batch, device)
        tried[product] = [now, *(tiles for tiles in candidates(product) if tiles != now)]
    jobs = [(product, tiles) for product in products for tiles in tried[product]]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        fits = dict(zip(jobs, pool.map(_compile, jobs, chunksize=2), strict=True))
    chosen: dict[str, Tiles] = {}
    for product in products:
        weight_bytes = product.out_features * product.in_features * 2
        trial = _Trial(product, max(2, -(-_BYTES // weight_bytes)), device)
        times = {t: trial.seconds(t) for t in tried[product] if fits[product, t]}
        if not times:
            note(f"{product.key}: nothing that was tried fits this GPU")
            continue
        best = min(times, key=lambda tiles: times[tiles])
        chosen[product.key] = best
        reached = weight_bytes / times[best] / 1e12
        first = next(iter(times))
        gained = times[first] / times[best]
        note(f"{product.key}: {best} {reached:.2f} TB/s, {gained:.2f} times as fast as {first}")
        del trial
    return chosen


def save(chosen: dict[str, Tiles], device: torch.device, folder: Path) -> Path:
    """Add results to the file of this GPU model in a folder.

    Raises:
        OSError: the file cannot be written.
    """
    path = folder / file_of(torch.cuda.get_device_name(device))
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known.update({name: asdict(tiles) for name, tiles in chosen.items()})
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known))
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    return path
