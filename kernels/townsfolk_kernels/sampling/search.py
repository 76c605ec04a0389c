"""Draws from more tokens than are sorted: limits and the draw itself are searched for.

Tokens stand in the order of their logits, equal ones by id. Where a running sum over that order
passes a limit is found without sorting: tokens are counted and weighed in 64 ranges of logits by
many programs; those of the range in which the sum passes the limit are collected, and among these
few, one program sums up above eight thresholds at once until one value is left. That is done for
the last of top-k tokens, for the last of the nucleus, and for the draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two
from townsfolk_kernels.sampling.keys import ordered, warps_of
from townsfolk_kernels.sampling.ranges import (
    ABOVE,
    ABOVE_MASS,
    DRAW,
    FACTS,
    INSIDE,
    LIMIT,
    MASS,
    NOT_YET,
    NUCLEUS,
    RANGES,
    RANK,
    TOTAL,
    collect_kernel,
    highest_of,
    is_searched,
    weigh_kernel,
    weights_of,
)
from townsfolk_kernels.sampling.rows import (
    COUNTS,
    NUMBERS,
    TEMPERATURE,
    TOP_K,
    SamplingRows,
)

_TILE = 4096  # tokens of one program
_COLLECTED = (
    16384  # tokens of a range that there is room for; else the whole vocabulary is searched
)
THRESHOLDS = tl.constexpr(8)


@dataclass(frozen=True, slots=True)
class SearchWorkspace:
    """Memory to search in.

    Attributes:
        masses: [places, programs, RANGES + 1], fp32: weights by range; last, what min-p keeps.
        numbers: [places, programs, RANGES], int32: tokens by range.
        facts: [places, FACTS], float64.
        collected: [places, _COLLECTED], int32: tokens of a range, by id.
    """

    masses: Tensor
    numbers: Tensor
    facts: Tensor
    collected: Tensor

    @classmethod
    def allocate(cls, places: int, vocab: int, device: torch.device) -> SearchWorkspace:
        """Take the memory."""
        programs = -(-vocab // _TILE)
        ranges = RANGES.value
        return cls(
            masses=torch.empty(places, programs, ranges + 1, device=device),
            numbers=torch.empty(places, programs, ranges, dtype=torch.int32, device=device),
            facts=torch.empty(places, FACTS.value, dtype=torch.float64, device=device),
            collected=torch.empty(places, _COLLECTED, dtype=torch.int32, device=device),
        )


@triton.jit
def _values_at(base, chosen, number, count, all_of_them):
    """Return the tokens and logits of some of those in question."""
    inside = number < count
    token = tl.load(chosen + number, mask=inside & (all_of_them == 0), other=0)
    token = tl.where(all_of_them, number, token)
    values = tl.load(base + token, mask=inside, other=-float("inf"))
    return token, values, inside


@kernel
def _choose_kernel(
    edited,
    maxima,
    rows,
    numbers,
    counts,
    tokens,
    facts,
    collected,
    vocab,
    groups,
    STAGE: tl.constexpr,
    PADDED: tl.constexpr,
    TILE: tl.constexpr,
    COLLECTED: tl.constexpr,
    NOT_YET: tl.constexpr,
):
    """Find the token at which the sum passes the limit, among those that were collected."""
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    if is_searched(row, tl.load(tokens + place), counts, numbers, STAGE, NOT_YET):
        highest = highest_of(maxima + place * groups, groups, PADDED)
        temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE).to(tl.float32)
        own = facts + place * FACTS
        limit, base_above = tl.load(own + LIMIT), tl.load(own + ABOVE)
        base_mass = tl.load(own + ABOVE_MASS)
        inside_count = tl.load(own + INSIDE).to(tl.int32)
        all_of_them = inside_count > COLLECTED
        count = tl.where(all_of_them, vocab, inside_count)
        if all_of_them:
            base_above, base_mass = base_above * 0.0, base_mass * 0.0
        base, chosen = edited + place * vocab, collected + place * COLLECTED
        low = tl.full([], -(2**31) - 1, tl.int64)
        high = ordered(highest).to(tl.int64) + 1
        above = base_above  # the sum from `high` on
        while high - low > 1:
            step = tl.arange(0, THRESHOLDS) + 1
            least = low + (high - low) * step // (THRESHOLDS + 1)
            bound = tl.maximum(least, -(2**31)).to(tl.int32)
            acc = tl.zeros([TILE, THRESHOLDS], tl.float32)
            for first in range(0, count, TILE):
                number = first + tl.arange(0, TILE)
                token, values, inside = _values_at(base, chosen, number, count, all_of_them)
                sizes = weights_of(values, highest, temperature)
                if STAGE == RANK:
                    sizes = tl.full([TILE], 1.0, tl.float32)
                is_above = (ordered(values)[:, None] >= bound[None, :]) & inside[:, None]
                acc += tl.where(is_above, sizes[:, None], 0.0)
            sums = base_above + tl.sum(acc, axis=0).to(tl.float64)
            reaches = (sums > limit) | ((sums == limit) & (STAGE != DRAW))
            above = tl.maximum(above, tl.max(tl.where(reaches, 0.0, sums), axis=0))
            high = tl.min(tl.where(reaches | (least <= low), high, least), axis=0)
            low = tl.max(tl.where(reaches & (least > low), least, low), axis=0)
        if low < -(2**31):
            # Rounding left nothing to pass the limit: the last of them is it.
            lowest = tl.full([TILE], 2**31 - 1, tl.int32)
            for first in range(0, count, TILE):
                number = first + tl.arange(0, TILE)
                token, values, inside = _values_at(base, chosen, number, count, all_of_them)
                lowest = tl.minimum(lowest, tl.where(inside, ordered(values), 2**31 - 1))
            low = tl.min(lowest, axis=0).to(tl.int64)
        found = low.to(tl.int32)
        value = (found ^ ((found >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)
        weight = weights_of(value, highest, temperature).to(tl.float64)
        size = weight
        if STAGE == RANK:
            size = tl.full([], 1.0, tl.float64)
        # Of tokens with this very value, as many as it takes, the lowest ids first.
        need = (limit - above) / tl.where(size > 0, size, 1.0)
        tie = tl.ceil(need)
        if STAGE == DRAW:
            tie = tl.floor(need) + 1.0
        tie = tl.maximum(tie, 1.0)
        heavier = tl.zeros([TILE], tl.float32)
        passed = tl.full([], 0, tl.int64)
        answer = tl.full([], 0, tl.int32)
        for first in range(0, count, TILE):
            number = first + tl.arange(0, TILE)
            token, values, inside = _values_at(base, chosen, number, count, all_of_them)
            key = ordered(values)
            heavier += tl.where(
                inside & (key > found), weights_of(values, highest, temperature), 0.0
            )
            is_equal = inside & (key == found)
            nth = tl.cumsum(is_equal.to(tl.int32), axis=0).to(tl.int64) + passed
            fits = is_equal & (nth.to(tl.float64) <= tie)
            answer = tl.maximum(answer, tl.max(tl.where(fits, token, 0), axis=0))
            passed += tl.sum(is_equal.to(tl.int32), axis=0).to(tl.int64)
        tie = tl.minimum(tie, tl.maximum(passed, 1).to(tl.float64))
        reached = base_mass + tl.sum(heavier, axis=0).to(tl.float64) + tie * weight
        if STAGE == RANK:
            tl.store(own + MASS, reached)
            tl.store(own + TOTAL, reached)
        elif STAGE == NUCLEUS:
            total = reached
            if tl.load(counts + COUNTS * row + TOP_K) > 0:
                total = tl.minimum(total, tl.load(own + TOTAL))
            tl.store(own + TOTAL, total)
        else:
            tl.store(tokens + place, answer)


def search(
    edited: Tensor,
    maxima: Tensor,
    rows: Tensor,
    indices: Tensor,
    state: SamplingRows,
    space: SearchWorkspace,
    tokens: Tensor,
) -> None:
    """Draw for the places of a batch whose token is NOT_YET; others cost next to nothing.

    Args:
        edited: [at least batch, vocab], fp32: logits.
        maxima: [at least batch, groups], fp32: of their groups of 64.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        indices: [batch], int32: how many tokens the request has drawn before.
        state: parameters of the rows: top-k (0 for none) or top-p below 1, or both.
        space: for at least as many places.
        tokens: [batch], int32.
    """
    batch, vocab, groups = rows.shape[0], edited.shape[1], maxima.shape[1]
    programs, padded = -(-vocab // _TILE), power_of_two(groups)
    weigh_kernel[(batch, programs)](
        edited,
        maxima,
        rows,
        state.numbers,
        tokens,
        space.masses,
        space.numbers,
        vocab,
        groups,
        PADDED=padded,
        TILE=_TILE,
        NOT_YET=NOT_YET,
        **options(8),
    )
    for stage in (RANK, NUCLEUS, DRAW):
        collect_kernel[(batch, programs)](
            edited,
            maxima,
            rows,
            indices,
            state.numbers,
            state.counts,
            state.seeds,
            tokens,
            space.masses,
            space.numbers,
            space.facts,
            space.collected,
            vocab,
            groups,
            STAGE=stage.value,
            PROGRAMS=power_of_two(programs),
            PADDED=padded,
            TILE=_TILE,
            COLLECTED=_COLLECTED,
            NOT_YET=NOT_YET,
            **options(warps_of(padded)),
        )
        _choose_kernel[(batch,)](
            edited,
            maxima,
            rows,
            state.numbers,
            state.counts,
            tokens,
            space.facts,
            space.collected,
            vocab,
            groups,
            STAGE=stage.value,
            PADDED=padded,
            TILE=_TILE // 2,
            COLLECTED=_COLLECTED,
            NOT_YET=NOT_YET,
            **options(8),
        )
