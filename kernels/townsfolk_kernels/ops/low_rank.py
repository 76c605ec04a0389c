"""Products with weights to which low-rank matrices are added (LoRA, arXiv:2106.09685)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.ops.linear import LinearWeight


@dataclass(frozen=True, slots=True, eq=False)
class LowRankPart:
    """What is added to some rows of a weight: `b @ a`.

    Attributes:
        first: the first of these rows.
        a: [rank, in_features].
        b: [rows, rank], with the adapter's scale.
    """

    first: int
    a: Tensor
    b: Tensor


class LowRankUpdate:
    """What an adapter adds to a weight [out_features, in_features]."""

    __slots__ = ("_a", "_targets")

    def __init__(self, parts: Sequence[LowRankPart]) -> None:
        """Take at least one part, of rows that no other has, all of one dtype and device."""
        self._a = torch.cat([part.a for part in parts])  # [ranks, in_features]
        self._targets = [(part.first, part.b) for part in parts]

    @classmethod
    def of_stacked(cls, a: Tensor, targets: Sequence[tuple[int, Tensor]]) -> LowRankUpdate:
        """Return an update of matrices that are stacked already, without a copy.

        Args:
            a: [ranks, in_features], of all parts.
            targets: of each part the first row and b.
        """
        update = cls.__new__(cls)
        update._a, update._targets = a, list(targets)
        return update

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self._a.nbytes + sum(b.nbytes for _, b in self._targets)

    @property
    def rank(self) -> int:
        """The largest rank of a part."""
        return max(b.shape[1] for _, b in self._targets)

    def parts(self) -> list[LowRankPart]:
        """Return its parts, views of what it holds."""
        ranks = [b.shape[1] for _, b in self._targets]
        parts = zip(self._targets, self._a.split(ranks), strict=True)
        return [LowRankPart(first, a, b) for (first, b), a in parts]

    def to(self, device: torch.device, dtype: torch.dtype) -> LowRankUpdate:
        """Return it elsewhere, or in another dtype."""
        return LowRankUpdate(
            [
                LowRankPart(part.first, part.a.to(device, dtype), part.b.to(device, dtype))
                for part in self.parts()
            ]
        )

    def add(self, x: Tensor, out: Tensor) -> None:
        """Add to a product what is missing of it.

        It is computed in its own dtype: on a CPU small products of 16 bits take three times those
        of fp32 (33 against 113 us for a row of 768, rank 16, and three projections).

        Args:
            x: [rows, in_features].
            out: [rows, out_features]: `x @ weight.T`, which becomes `x @ (weight + update).T`.
        """
        inner = F.linear(x.to(self._a.dtype), self._a)  # [rows, ranks]
        begin = 0
        for first, b in self._targets:
            rows, rank = b.shape
            target, part = out[:, first : first + rows], inner[:, begin : begin + rank]
            if target.dtype == b.dtype:
                target.addmm_(part, b.mT)
            else:
                target.add_(part @ b.mT)
            begin += rank

    def add_to_weight(self, weight: Tensor, most: int = 1 << 22) -> None:
        """Add it to the weight itself, [out_features, in_features], in fp32 and rounded once.

        Args:
            weight: numbers; changed in place.
            most: values that are computed at once.
        """
        step = max(most // weight.shape[1], 1)
        begin = 0
        for first, b in self._targets:
            a = self._a[begin : begin + b.shape[1]].float()
            begin += b.shape[1]
            for row in range(0, len(b), step):
                part = b[row : row + step]
                target = weight[first + row : first + row + len(part)]
                target.copy_(torch.addmm(target.float(), part.float(), a))


class AdaptedWeight:
    """A weight that stays as it is, and an update that is computed beside it; see `LinearWeight`.

    For weights in blocks, which would have to be rounded again with the update in them.

    Attributes:
        base: the weight.
        update: what is added to it.
    """

    __slots__ = ("base", "update")

    def __init__(self, base: LinearWeight, update: LowRankUpdate) -> None:
        self.base = base
        self.update = update

    @property
    def nbytes(self) -> int:
        """Memory of both."""
        return self.base.nbytes + self.update.nbytes

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return a copy of the weight with the update, fp32, and the bias."""
        weight, bias = self.base.dense()
        weight = weight.float().clone()
        self.update.add_to_weight(weight)
        return weight, bias

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ (weight + update).T + bias` of x [rows, in_features]."""
        out = self.base.product(x)
        self.update.add(x, out)
        return out
