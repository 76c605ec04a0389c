"""Checks of the decode products against fp64: on a GPU, and by Triton's interpreter.

Inputs are random, outputs are poisoned first. A check raises AssertionError.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor
from townsfolk_kernels import Activation
from townsfolk_kernels.decode import reference
from townsfolk_kernels.decode.addition import add_rows
from townsfolk_kernels.decode.mlp import gate_up
from townsfolk_kernels.decode.operands import Addition, LaunchConfig, RowNorm
from townsfolk_kernels.decode.projection import project, project_and_add
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles
from townsfolk_kernels.gpu.tuning import split_workspace

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
    """Rows of activations as the kernels take them, and what is left of their norm."""

    def __init__(self, batch: int, width: int, dtype: torch.dtype, device: str) -> None:
        self.device, self.dtype, self.batch, self.width = device, dtype, batch, width
        x, norm = self.normal(batch, width), self.normal(width)
        halves = x.float().square().tensor_split(2, dim=1)
        self.squares = torch.stack([part.sum(1) for part in halves])  # [2, batch]
        self.scaled = x * norm
        self.norm = RowNorm(self.squares, width, EPS)

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
        elements, counters = split_workspace(op, out_features, self.batch, tiles)
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
    for bias, multiplier in ((None, 1.0), (rows.normal(hidden), 0.3)):
        residual = rows.normal(batch, hidden)
        scaled = poisoned(batch, hidden, dtype=dtype, device=device)
        squares = poisoned(-(-hidden // tiles.rows), batch, dtype=torch.float32, device=device)
        addition = Addition(residual, multiplier, norm, scaled, squares)
        expected = reference.project_and_add(
            x.double(), weight.double(), bias, replace(addition, residual=residual.double())
        )
        project_and_add(x, weight, bias, addition, LaunchConfig(tiles, space, dependent))
        for found, wanted in zip((residual, scaled, squares.sum(0)), expected, strict=True):
            rows.check(found, wanted)
        assert not space.counters.any()
    return residual


def check_gate_up(
    batch: int, width: int, inner: int, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False, activation: Activation = Activation.SILU,
) -> Tensor:  # fmt: skip
    """`gate_up`, with and without a bias."""
    rows = Rows(batch, width, dtype, device)
    weight = rows.weight(2 * inner)
    space = rows.workspace("gate_up", 2 * inner, tiles)
    for bias in (None, rows.normal(2 * inner)):
        out = poisoned(batch, inner, dtype=dtype, device=device)
        launch = LaunchConfig(tiles, space, dependent)
        gate_up(rows.scaled, rows.norm, weight, bias, activation, out, launch)
        wide = rows.scaled.double()
        rows.check(out, reference.gate_up(wide, rows.norm, weight.double(), bias, activation))
        assert not space.counters.any()
    return out


def check_project(
    batch: int, width: int, out_features: int, tiles: Tiles, dtype: torch.dtype, device: str,
    *, dependent: bool = False,
) -> Tensor:  # fmt: skip
    """`project`, of rows as they are and of normalised ones, which are multiplied and capped."""
    rows = Rows(batch, width, dtype, device)
    weight = rows.weight(out_features)
    space = rows.workspace("head", out_features, tiles)
    launch = LaunchConfig(tiles, space, dependent)
    for norm in (None, rows.norm):
        out = poisoned(batch, out_features, dtype=torch.float32, device=device)
        for multiplier, cap in ((1.0, None), (0.5, 1.5)):
            wide = rows.scaled.double(), weight.double()
            project(rows.scaled, weight, out, launch, norm, multiplier, cap)
            rows.check(out, reference.project(*wide, norm, multiplier, cap))
            assert not space.counters.any()
    return out


def check_add_rows(batch: int, hidden: int, dtype: torch.dtype, device: str) -> None:
    """`add_rows`, of an output in fp32 and in `dtype`, with and without a norm."""
    rows = Rows(batch, hidden, dtype, device)
    norm = rows.normal(hidden)
    for x, after in (
        (torch.randn(batch, hidden, device=device), torch.randn(hidden, device=device)),
        (rows.normal(batch, hidden), None),
    ):
        residual = rows.normal(batch, hidden)
        scaled = poisoned(batch, hidden, dtype=dtype, device=device)
        squares = poisoned(1, batch, dtype=torch.float32, device=device)
        addition = Addition(residual, 0.3, norm, scaled, squares)
        wide = replace(addition, residual=residual.double())
        expected = reference.add_rows(x.double(), after, EPS, wide)
        add_rows(x, after, EPS, addition, False)
        for found, wanted in zip((residual, scaled, squares[0]), expected, strict=True):
            rows.check(found, wanted)
