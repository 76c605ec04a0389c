"""Measures tiles of products on this GPU, for `townsfolk_kernels.triton.tuning` to choose from.

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
from statistics import median

import torch
from torch import Tensor

from townsfolk_kernels.triton.launch import Tiles, has_dependent_launch, power_of_two
from townsfolk_kernels.triton.mlp import gate_up_swiglu, vocabulary_logits
from townsfolk_kernels.triton.projection import project_and_add
from townsfolk_kernels.triton.qkv import qkv_rope_store
from townsfolk_kernels.triton.tuning import TUNED, guess, key, shared_memory

BATCHES = (1, 2, 16, 32, 64)
_TRIED = 14  # candidates of each product
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
    head_dim: int = 64
    kv_heads: int = 8

    @property
    def within(self) -> int:
        """What a tile's rows must divide."""
        return self.head_dim if self.op == "qkv" else 0

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return key(self.op, self.out_features, self.in_features, self.batch)


def candidates(product: Product) -> list[Tiles]:
    """Tiles worth trying, the guess first."""
    found: list[Tiles] = []
    width, batch = power_of_two(product.in_features), product.batch
    if batch <= 4:
        for elements in (2048, 4096, 8192, 16384, 32768):
            for warps in (1, 2, 4, 8, 16):
                rows = elements // width
                if rows >= (2 if product.within else 1) and 16 <= elements // (32 * warps) <= 128:
                    found.append(Tiles(rows, 0, warps))
    padded = max(power_of_two(batch), 16)
    for rows in (16, 32, 64, 128):
        for depth in (64, 128, 256, 512):
            for warps in (2, 4, 8):
                for stages in (3, 4, 6):
                    for splits in (1, 2, 4, 8) if product.op == "project" else (1,):
                        programs = -(-product.out_features // rows) * splits
                        tiles = Tiles(rows, depth, warps, stages, splits)
                        memory = shared_memory(product.op, batch, tiles)
                        fits = memory <= _SHARED_MEMORY and product.in_features >= depth * splits
                        sensible = programs >= 96 and (splits == 1 or programs <= 1200)
                        if fits and sensible and warps * 16 <= 2 * rows + padded:
                            found.append(tiles)
    first = guess(product.op, product.out_features, product.in_features, batch, product.within)
    found = [t for t in found if not (product.within and product.within % t.rows) and t != first]
    plain = [t for t in found if not t.uses_tensor_cores]
    others = [t for t in found if t.uses_tensor_cores]
    random.Random(0).shuffle(others)
    return [first, *plain, *others][: max(_TRIED, len(plain) + 6)]


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
        self.out = space(batch, out, dtype=torch.float32 if product.op == "head" else self.x.dtype)
        if product.op == "qkv":
            kv_heads, head_dim = product.kv_heads, product.head_dim
            self.out = space(batch, product.out_features // head_dim - 2 * kv_heads, head_dim)
            self.pages = space(batch, kv_heads, 16, head_dim)
            self.rotation = space(16, head_dim // 2, 2, dtype=torch.float32)
            self.rows = torch.arange(batch, dtype=torch.int32, device=device)
        if product.op == "project":
            self.scaled, self.norm = torch.zeros_like(self.out), space(out) + 1.0
            self.parts = space(out * batch, dtype=torch.float32)
            self.workspace = space(16 * max(out, 256) * max(batch, 16), dtype=torch.float32)
            self.counters = space(out, dtype=torch.int32)

    def run(self, tiles: Tiles) -> None:
        """Multiplies with every weight, one after the other."""
        product, dependent = self.product, has_dependent_launch(self.device)
        for weight in self.weights:
            if product.op == "qkv":
                qkv_rope_store(
                    self.x, self.squares, weight, None, self.rotation, self.rows, self.rows % 16,
                    self.rows[:, None], self.pages, self.pages, 1e-5, self.out, tiles, dependent,
                )  # fmt: skip
            elif product.op == "project":
                count = -(-product.out_features // tiles.rows)
                squares = self.parts[: count * product.batch].view(count, product.batch)
                project_and_add(
                    self.x, weight, None, self.out, self.norm, self.scaled, squares,
                    self.workspace, self.counters, tiles, dependent,
                )  # fmt: skip
            elif product.op == "gate_up":
                gate_up_swiglu(self.x, self.squares, weight, None, 1e-5, self.out, tiles, dependent)
            else:
                vocabulary_logits(self.x, self.squares, weight, 1e-5, self.out, tiles, dependent)

    def seconds(self, tiles: Tiles) -> float:
        """Median time for one weight."""
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
    """Compiles a candidate into Triton's cache; False if it does not fit this GPU."""
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
    """The fastest tiles of each product, by `Product.key`.

    Args:
        products: what to measure.
        processes: that compile at once.
        note: is told each result.
    """
    jobs = [(product, tiles) for product in products for tiles in candidates(product)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        fits = dict(zip(jobs, pool.map(_compile, jobs, chunksize=2), strict=True))
    chosen: dict[str, Tiles] = {}
    for product in products:
        weight_bytes = product.out_features * product.in_features * 2
        trial = _Trial(product, max(2, -(-_BYTES // weight_bytes)), torch.device("cuda"))
        times = {t: trial.seconds(t) for t in candidates(product) if fits[product, t]}
        best = min(times, key=lambda tiles: times[tiles])
        chosen[product.key] = best
        reached = weight_bytes / times[best] / 1e12
        first = next(iter(times))
        gained = times[first] / times[best]
        note(f"{product.key}: {best} {reached:.2f} TB/s, {gained:.2f} times the first ({first})")
        del trial
    return chosen


def save(chosen: dict[str, Tiles], device: torch.device) -> None:
    """Adds results to the file of this GPU model."""
    path = TUNED / f"{torch.cuda.get_device_name(device).replace(' ', '_')}.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known.update({name: asdict(tiles) for name, tiles in chosen.items()})
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known))
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
