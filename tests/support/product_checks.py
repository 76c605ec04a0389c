"""Checks of the decode products against fp64: on a GPU, and by Triton's interpreter.

Inputs are random, outputs are poisoned first. A check raises AssertionError.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor
from torch.nn.functional import silu
from townsfolk_kernels.decode.mlp import gate_up_swiglu
from townsfolk_kernels.decode.projection import project, project_and_add
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles
from townsfolk_kernels.gpu.tuning import split_space

EPS = 1e-5
NAN = float("nan")

# Relative to fp64 of the same inputs: results are rounded once to a mantissa of 8, 11 or 24 bits,
# and so are the normalised rows before. fp32 is summed in another order, over up to 5,000 columns.
BOUNDS = {torch.bfloat16: 6e-3, torch.float16: 1e-3, torch.float32: 1e-5}


def error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference, relative; NaN where something was not written."""
    difference = (found.double() - expected.double()).norm()
    return float(difference / expected.double().norm().clamp_min(1e-30))


def poisoned(*shape: int, dtype: torch.dtype, device: str) -> Tensor:
    """A tensor of NaN."""
    return torch.full(shape, NAN, dtype=dtype, device=device)


class Rows:
    """Rows of activations as the kernels take them, and their normalised values in fp64."""

    def __init__(self, batch: int, width: int, dtype: torch.dtype, device: str) -> None:
        self.device, self.dtype, self.batch, self.width = device, dtype, batch, width
        x, norm = self.normal(batch, width), self.normal(width)
        halves = x.float().square().tensor_split(2, dim=1)
        self.squares = torch.stack([part.sum(1) for part in halves])  # [2, batch]
        self.scaled = x * norm
        rms = x.double().square().mean(1, keepdim=True).add(EPS).sqrt()
        self.normed = self.scaled.double() / rms

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Random values, behind which lies NaN: whoever reads beyond the end is found out."""
        count = prod(shape)
        memory = poisoned(2 * count, dtype=self.dtype, device=self.device)
        memory[:count] = torch.randn(count, device=self.device) * scale
        return memory[:count].view(shape)

    def weight(self, rows: int) -> Tensor:
        """A random weight for these rows, whose product has values near one."""
        return self.normal(rows, self.width, scale=self.width**-0.5)

    def workspace(self, op: str, out_features: int, tiles: Tiles) -> SplitWorkspace:
        """As large as the product needs."""
        elements, counters = split_space(op, out_features, self.batch, tiles)
        space = SplitWorkspace.allocate(elements, counters, torch.device(self.device))
        space.parts.fill_(NAN)
        return space

    def check(self, found: Tensor, expected: Tensor) -> None:
        """Holds a result against its bound."""
        bound = BOUNDS[self.dtype]
        assert error(found, expected) < bound, (error(found, expected), bound)


def check_project_and_add(
    batch: int, width: int, hidden: int, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`project_and_add`, with and without a bias."""
    rows = Rows(batch, width, dtype, device)
    x, weight, norm = rows.normal(batch, width), rows.weight(hidden), rows.normal(hidden)
    space = rows.workspace("project", hidden, tiles)
    for bias in (None, rows.normal(hidden)):
        residual = rows.normal(batch, hidden)
        expected = residual.double() + x.double() @ weight.double().t()
        expected += 0 if bias is None else bias.double()
        scaled = poisoned(batch, hidden, dtype=dtype, device=device)
        squares = poisoned(-(-hidden // tiles.rows), batch, dtype=torch.float32, device=device)
        project_and_add(x, weight, bias, residual, norm, scaled, squares, space, tiles, dependent)
        rows.check(residual, expected)
        rows.check(scaled, expected * norm.double())
        rows.check(squares.sum(0), expected.square().sum(1))
        assert not space.counters.any()
    return residual


def check_gate_up(
    batch: int, width: int, inner: int, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`gate_up_swiglu`, with and without a bias."""
    rows = Rows(batch, width, dtype, device)
    weight = rows.weight(2 * inner)
    space = rows.workspace("gate_up", 2 * inner, tiles)
    for bias in (None, rows.normal(2 * inner)):
        out = poisoned(batch, inner, dtype=dtype, device=device)
        gate_up_swiglu(rows.scaled, rows.squares, weight, bias, EPS, out, space, tiles, dependent)
        both = rows.normed @ weight.double().t() + (0 if bias is None else bias.double())
        gate, up = both.chunk(2, dim=1)
        rows.check(out, silu(gate) * up)
        assert not space.counters.any()
    return out


def check_project(
    batch: int, width: int, out_features: int, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`project`, of rows as they are and of normalised ones."""
    rows = Rows(batch, width, dtype, device)
    weight = rows.weight(out_features)
    space = rows.workspace("head", out_features, tiles)
    for x, squares in ((rows.scaled, None), (rows.normed, rows.squares)):
        out = poisoned(batch, out_features, dtype=torch.float32, device=device)
        project(rows.scaled, weight, out, space, tiles, dependent, squares, EPS)
        rows.check(out, x.double() @ weight.double().t())
        assert not space.counters.any()
    return out
